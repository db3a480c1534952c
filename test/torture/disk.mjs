// A disk under a store: a log of records, of which those count after a crash that are whole.
import { crc32 } from "node:zlib";
import { MemoryStore } from "blazen";

/** Names that steps leave in what they commit, so that the disk can be asked for them: see effects.mjs. */
const MARK = /[acdoy]\.[a-z0-9_]+\./g;
/** The marks in what is on a disk. */
export const marksIn = (buffer) => buffer.latin1Slice().match(MARK) ?? [];
const LENGTHS = 8;

/** Length and checksum, then what was asked for as a line of JSON, then bytes. */
function encode(asked, blob) {
  const text = Buffer.from(`${JSON.stringify(asked)}\n`);
  const record = Buffer.allocUnsafe(LENGTHS + text.length + blob.length);
  text.copy(record, LENGTHS);
  record.set(blob, LENGTHS + text.length);
  record.writeUInt32LE(record.length, 0);
  record.writeUInt32LE(crc32(record.subarray(LENGTHS)), 4);
  return record;
}

function isWhole(record) {
  return record.length > LENGTHS && record.readUInt32LE(0) === record.length && record.readUInt32LE(4) === crc32(record.subarray(LENGTHS));
}

function decode(record) {
  const end = record.indexOf("\n", LENGTHS);
  return { asked: JSON.parse(record.toString("utf8", LENGTHS, end)), blob: record.subarray(end + 1) };
}

const NOTHING = new Uint8Array(0);

export class Disk {
  /** In the order of their places on the disk; the first `synced` of them survive whatever happens. */
  #log = [];
  #synced = 0;
  #crashes = 0;
  #store;
  /** By mark: the place of the first record that has it, of those that are durable. */
  #marks = new Map();
  now = 0;

  /** @param lies it says "durable" of records that are not, as long as they are among the latest */
  constructor(latency, lies = false) {
    this.latency = latency;
    this.lies = lies;
    this.#store = new MemoryStore(() => this.now);
  }

  /** Records that a crash may lose. */
  get pending() {
    return this.#log.length - this.#synced;
  }
  /** Records that it has. */
  get length() {
    return this.#log.length;
  }
  /** Whether a mark was durable when the disk had so many records. */
  has(mark, length = Number.POSITIVE_INFINITY) {
    const place = this.#marks.get(mark);
    return place !== undefined && place < length;
  }
  /** What needs no record. */
  get contents() {
    return this.#store;
  }

  /** A process that is killed when it is about to write may still do so: its leases are over all the same. */
  refuses() {
    return false;
  }

  /** Writes what is asked for, and gives the answer that may be told when it is durable. */
  write(op, args) {
    if (op === "append") for (const { bytes, ...commit } of args[0]) this.#put({ op, commit }, bytes);
    else if (op === "create") {
      const { base, ...run } = args[0];
      this.#put({ op, run }, base);
    } else this.#put({ op, args }, NOTHING);
    return this.#store[op](...args);
  }
  #put(asked, blob) {
    this.#log.push(encode({ now: this.now, ...asked }, blob));
  }

  /** A barrier: what was written before it is durable when it has passed. Never passes in a crash. */
  async sync() {
    const { length } = this.#log;
    const crashes = this.#crashes;
    for (let turn = 0; turn < this.latency; turn++) await new Promise((resolve) => setImmediate(resolve));
    if (crashes !== this.#crashes) return new Promise(() => {});
    this.#durable(this.lies ? length - 6 : length);
  }
  #durable(length) {
    for (; this.#synced < length; this.#synced++) {
      for (const mark of marksIn(this.#log[this.#synced])) if (!this.#marks.has(mark)) this.#marks.set(mark, this.#synced);
    }
  }

  /**
   * The power goes. What was not durable is "lost", "kept", kept but for the latest record, which is "torn", or "mixed": each by itself, since
   * nothing says in which order a disk writes.
   */
  crash(kind, random) {
    const open = this.#log.splice(this.#synced);
    if (kind === "kept") this.#log.push(...open);
    else if (kind === "mixed") this.#log.push(...open.filter(() => random.chance(50)));
    else if (kind === "torn" && open.length > 0) {
      const last = open.pop();
      this.#log.push(...open, last.subarray(0, random.below(last.length)));
    }
    this.#crashes++;
    this.#recover();
  }

  #recover() {
    this.#log = this.#log.filter(isWhole);
    this.#store = new MemoryStore(() => this.now);
    const { now } = this;
    for (const record of this.#log) {
      const { asked, blob } = decode(record);
      this.now = asked.now;
      if (asked.op === "append") void this.#store.append([{ ...asked.commit, bytes: blob }]);
      else if (asked.op === "create") void this.#store.create({ ...asked.run, base: blob });
      else void this.#store[asked.op](...asked.args);
    }
    this.now = now;
    this.#durable(this.#log.length);
  }
}
