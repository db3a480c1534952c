// What a power cut leaves of a SQLite database in WAL mode: of what was not behind a barrier each sector by itself.
const SECTOR = 512;
const WAL_HEADER = 32;
const NOTHING = Buffer.alloc(0);
export const EMPTY = { db: NOTHING, wal: NOTHING };

/** Whether the log has begun anew, which its salts tell: over its old frames, since the file keeps its length. */
const restarted = (before, after) => before.wal.length > 0 && !before.wal.subarray(16, 24).equals(after.wal.subarray(16, 24));
/** Whether a checkpoint has written to the database file. */
const checkpointed = (before, after) => before.db.length > 0 && !before.db.equals(after.db);
export const hasCheckpoint = (before, after) => restarted(before, after) || checkpointed(before, after);

/**
 * What is written between two barriers, one of which a cut comes before: SQLite writes frames, syncs the log, copies pages to the database file, syncs
 * that; only then it begins the log anew, with a header that is synced before its first frame.
 */
function stages(before, after) {
  if (restarted(before, after)) {
    const begun = Buffer.concat([after.wal.subarray(0, WAL_HEADER), before.wal.subarray(WAL_HEADER)]);
    return [
      { db: [after.db, after.db], wal: [before.wal, begun] },
      { db: [after.db, after.db], wal: [begun, after.wal] },
    ];
  }
  if (!checkpointed(before, after)) return [{ db: [after.db, after.db], wal: [before.wal, after.wal] }];
  return [
    { db: [before.db, before.db], wal: [before.wal, after.wal] },
    { db: [before.db, after.db], wal: [after.wal, after.wal] },
  ];
}

/**
 * The files after a cut, of those before and after what was not durable: it is "lost", "kept", kept up to a sector that is "torn", or "mixed".
 *
 * Bytes that were not written stay as they were, in a torn sector too: SQLite counts on that (powersafe overwrite).
 */
export function cut(before, after, kind, random) {
  if (kind === "kept") return after;
  if (kind === "lost") return { db: before.db, wal: left(before.wal, after.wal, kind, random) };
  const { db, wal } = random.pick(stages(before, after));
  return { db: left(...db, kind, random), wal: left(...wal, kind, random) };
}

function left(from, to, kind, random) {
  if (from === to) return to;
  const size = Math.max(from.length, to.length);
  const found = Buffer.alloc(size);
  from.copy(found);
  const changed = [];
  for (let at = 0; at < to.length; at += SECTOR) {
    if (found.compare(to, at, Math.min(at + SECTOR, to.length), at, Math.min(at + SECTOR, to.length)) !== 0) changed.push(at);
  }
  const torn = random.below(Math.max(1, changed.length));
  for (const [index, at] of changed.entries()) {
    const fate = kind === "mixed" ? random.pick(["kept", "lost", "torn"]) : kind === "lost" || index > torn ? "lost" : index < torn ? "kept" : "torn";
    const end = Math.min(at + SECTOR, to.length);
    if (fate === "kept") to.copy(found, at, at, end);
    else if (fate === "torn") tear(found, to, at, end, random);
  }
  if (to.length <= from.length || random.chance(50)) return found;
  // The file has not grown, or not by all.
  return found.subarray(0, kind === "lost" ? from.length : random.between(from.length, to.length));
}

/** A part of a sector is written, from its beginning or to its end; the rest is as before, or nonsense. */
function tear(found, to, at, end, random) {
  const middle = random.between(at, end);
  const [first, last] = random.chance(50) ? [at, middle] : [middle, end];
  const nonsense = random.chance(30);
  for (let byte = at; byte < end; byte++) {
    if (byte >= first && byte < last) found[byte] = to[byte];
    else if (nonsense && found[byte] !== to[byte]) found[byte] = random.below(256);
  }
}
