//! What a store is asked, and what it answers, in JSON; bytes go beside it, one piece after the other.

use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Request {
    Create {
        run: NewRun,
    },
    Claim {
        claim: Claim,
    },
    Append {
        commits: Vec<Commit>,
    },
    Renew {
        runs: Vec<Owned>,
        lease_ms: f64,
    },
    Release {
        runs: Vec<Owned>,
    },
    Push {
        run_id: String,
        message: Message,
    },
    Read {
        run_id: String,
    },
    Info {
        run_id: String,
    },
    Told {
        owner: String,
    },
    Messages {
        run_id: String,
    },
    Items {
        run_id: String,
        from: i64,
        limit: u32,
    },
    /// Looks at so many runs, so that a long list holds nobody up.
    List {
        filter: Filter,
        after: Option<String>,
        limit: u32,
    },
    Delete {
        run_id: String,
    },
    /// Closes the file, which a later request opens again.
    Close,
}

impl Request {
    /// Whether it changes nothing.
    pub fn reads(&self) -> bool {
        matches!(
            self,
            Self::Read { .. }
                | Self::Info { .. }
                | Self::Told { .. }
                | Self::Messages { .. }
                | Self::Items { .. }
                | Self::List { .. }
                | Self::Close
        )
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Queued,
    Running,
    Waiting,
    Paused,
    Completed,
    Failed,
    Cancelled,
}

/// In the order of their numbers in the database.
pub const STATUSES: [Status; 7] =
    [Status::Queued, Status::Running, Status::Waiting, Status::Paused, Status::Completed, Status::Failed, Status::Cancelled];

impl Status {
    pub fn number(self) -> i64 {
        self as i64
    }

    pub fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Head {
    pub status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<f64>,
    pub requests: Vec<String>,
    pub inbox: i64,
    pub stream: i64,
    /// In ms since 1970.
    pub at: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewRun {
    pub run_id: String,
    pub workflow: String,
    pub version: i64,
    pub head: Head,
    pub owner: Option<Owner>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Owner {
    pub name: String,
    pub lease_ms: f64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Claim {
    pub workflow: String,
    pub owner: String,
    pub lease_ms: f64,
    pub limit: f64,
    pub run_id: Option<String>,
    #[serde(default)]
    pub released: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Filter {
    pub status: Option<Status>,
    pub workflow: Option<String>,
    pub due_by: Option<f64>,
    pub unchanged_since: Option<f64>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Base,
    Delta,
    Head,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Commit {
    pub run_id: String,
    pub epoch: i64,
    pub sequence: i64,
    pub kind: Kind,
    /// Of its bytes.
    pub length: usize,
    pub head: Head,
    #[serde(default)]
    pub items: Vec<Item>,
}

/// An item of a run's stream.
#[derive(Deserialize, Serialize)]
pub struct Item {
    pub offset: i64,
    pub text: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Owned {
    pub run_id: String,
    pub epoch: i64,
}

#[derive(Deserialize)]
pub struct Message {
    pub id: String,
    pub body: String,
}

#[derive(Serialize)]
pub struct StoredMessage {
    pub number: i64,
    pub id: String,
    pub body: String,
}

/// A part of a list.
#[derive(Serialize)]
pub struct Page {
    pub runs: Vec<RunInfo>,
    /// The run behind which the next part begins, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunInfo {
    pub run_id: String,
    pub workflow: String,
    pub version: i64,
    pub lease_end: i64,
    #[serde(flatten)]
    pub head: Head,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredRun {
    #[serde(flatten)]
    pub info: RunInfo,
    pub epoch: i64,
    pub sequence: i64,
    /// Of the base and each delta, which stand in the answer's bytes.
    pub lengths: Vec<usize>,
    pub messages: Vec<StoredMessage>,
}
