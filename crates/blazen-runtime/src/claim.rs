//! Which runs may be claimed: found by indices, however many others there are.

use rusqlite::{Connection, params};
use serde_json::json;

use crate::failure::Failure;
use crate::request::Claim;
use crate::sqlite::{Answer, COLUMNS, Found, found, lease_end, stored};

/// Runs of an owner, which has not let them go, that were told something.
pub const TOLD: &str = "SELECT run_id FROM runs WHERE said > 0 AND owner = ?1 AND lease_end > 0";

const BY_ID: &str = "run_id = ?5 AND status < 4";
/// No run is in two of them; ?5 is not theirs.
const DUE: [&str; 3] = [
    "status < 2 AND ?5 IS NULL",
    "status IN (2, 3) AND deadline <= ?2 AND deadline IS NOT NULL AND said = 0 AND ?5 IS NULL",
    "status IN (2, 3) AND said > 0 AND ?5 IS NULL",
];

fn sql(which: &str) -> String {
    format!(
        "SELECT {COLUMNS} FROM runs WHERE workflow = ?1 AND {which} AND lease_end <= ?2 AND (?4 IS NULL OR (owner = ?4 AND lease_end = 0)) LIMIT ?3"
    )
}

pub fn claim(connection: &Connection, claim: &Claim, now: i64) -> Result<Answer, Failure> {
    let limit = claim.limit.clamp(0.0, f64::from(u32::MAX)) as usize;
    let owner = claim.released.then_some(&claim.owner);
    let mut rows: Vec<Found> = Vec::new();
    for which in if claim.run_id.is_some() { &[BY_ID] } else { &DUE[..] } {
        let room = limit - rows.len();
        let mut statement = connection.prepare_cached(&sql(which))?;
        let more = statement.query_map(params![claim.workflow, now, room as i64, owner, claim.run_id], found)?;
        for row in more {
            rows.push(row?);
        }
    }
    let mut own = connection.prepare_cached("UPDATE runs SET epoch = epoch + 1, owner = ?2, lease_end = ?3 WHERE id = ?1")?;
    let lease_end = lease_end(now, claim.lease_ms);
    let mut bytes = Vec::new();
    let mut claimed = Vec::with_capacity(rows.len());
    for mut found in rows {
        own.execute(params![found.id, claim.owner, lease_end])?;
        found.info.lease_end = lease_end;
        found.epoch = found.epoch.saturating_add(1);
        claimed.push(stored(connection, found, &mut bytes)?);
    }
    Ok((json!(claimed), bytes))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::schema::TABLES;

    #[test]
    fn no_claim_goes_over_runs_that_it_does_not_want() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(TABLES).unwrap();
        let plan = |sql: &str| {
            let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let mut rows = statement.raw_query();
            rows.next().unwrap().unwrap().get::<_, String>("detail").unwrap()
        };
        assert_eq!(plan(&sql(BY_ID)), "SEARCH runs USING INDEX sqlite_autoindex_runs_1 (run_id=?)");
        assert_eq!(plan(&sql(DUE[0])), "SEARCH runs USING INDEX going (workflow=? AND lease_end<?)");
        assert_eq!(plan(&sql(DUE[1])), "SEARCH runs USING INDEX due (workflow=? AND deadline>? AND deadline<?)");
        assert_eq!(plan(&sql(DUE[2])), "SEARCH runs USING INDEX told (workflow=?)");
        assert_eq!(plan(TOLD), "SEARCH runs USING INDEX heard (owner=?)");
    }
}
