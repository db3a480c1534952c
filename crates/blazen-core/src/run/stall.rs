//! A run that can neither go on nor end, in words: what each join and collect still lacks (3.5).

use super::Run;
use super::collect::Given;
use super::flow::FlowId;
use crate::error::CoreError;
use crate::generated::ERR_STALLED;
use crate::plan::Accept;

/// Sets of one join that are told of one by one.
const SETS: usize = 10;

impl Run {
    pub(super) fn stalled(&self, flow: FlowId) -> CoreError {
        let mut lacking = Vec::new();
        {
            let flow = &self.flows[flow];
            let plan = &flow.plan;
            let names = |types: &[u32]| types.iter().map(|ty| format!("\"{}\"", plan.types[*ty as usize])).collect::<Vec<_>>().join(", ");
            let given = |id: usize| match flow.given.get(id).filter(|given| given.runs > 0) {
                None => String::new(),
                Some(Given { runs, results }) => format!("; it ran before: {runs} times, with {results} in all"),
            };
            for (id, step) in plan.steps.iter().enumerate() {
                match &step.accepts {
                    Accept::Any => {}
                    Accept::Join(join) => {
                        let types: Vec<u32> = join.ports.iter().map(|(ty, _)| *ty).collect();
                        let sets = flow.joins.get(id).map(|state| &state.sets).filter(|sets| !sets.is_empty());
                        let Some(sets) = sets else {
                            lacking.push(format!("join \"{}\" has got none of {}", step.name, names(&types)));
                            continue;
                        };
                        for lines in sets.values().take(SETS) {
                            let missing: Vec<String> = join
                                .ports
                                .iter()
                                .zip(lines)
                                .filter(|((_, takes), line)| line.len() < *takes)
                                .map(|((ty, takes), line)| format!("{} \"{}\"", takes - line.len(), plan.types[*ty as usize]))
                                .collect();
                            let has: Vec<String> = join
                                .ports
                                .iter()
                                .zip(lines)
                                .filter(|(_, line)| !line.is_empty())
                                .map(|((ty, _), line)| format!("{} \"{}\"", line.len(), plan.types[*ty as usize]))
                                .collect();
                            let key = if join.keyed { " for a key" } else { "" };
                            lacking.push(format!(
                                "join \"{}\" lacks {}{key}; it has {}",
                                step.name,
                                missing.join(" and "),
                                has.join(" and ")
                            ));
                        }
                        if sets.len() > SETS {
                            lacking.push(format!("join \"{}\" lacks events for {} more keys", step.name, sets.len() - SETS));
                        }
                    }
                    Accept::Collect(collect) => match collect.of {
                        Some(of) => {
                            let fan = &plan.steps[of as usize].name;
                            lacking.push(format!(
                                "collect \"{}\" waits for a fan-out of step \"{fan}\" with {}; none is open{}",
                                step.name,
                                names(&collect.types),
                                given(id)
                            ));
                        }
                        None => lacking.push(format!("collect \"{}\" has got none of {}{}", step.name, names(&collect.types), given(id))),
                    },
                }
            }
        }
        let message = if lacking.is_empty() {
            "nothing is left to do, and no StopEvent came. Let a step return one, or name in \"external\" what the run waits for."
                .to_owned()
        } else {
            format!("nothing is left to do, and no StopEvent came: {}.", lacking.join("; "))
        };
        CoreError { lacking, ..CoreError::new(ERR_STALLED, message) }
    }
}
