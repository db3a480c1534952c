// What makes scenarios the same on every machine. The engine gives the host its turn by this clock: after so many ms of work.
performance.now = () => 0;
// The errors of what is cut off are many, and nobody reads where they come from.
Error.stackTraceLimit = 0;
