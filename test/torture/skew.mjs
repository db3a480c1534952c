// Loaded before a process' own modules: its clock is wrong.
const offset = Number(process.env.CLOCK_OFFSET);
const { now } = Date;
Date.now = () => now() + offset;
