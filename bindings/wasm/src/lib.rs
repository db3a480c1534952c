//! The core as a WebAssembly module: the same calls as the Node addon, over linear memory. A panic is a
//! trap: the instance is lost, and the facade makes another.

use std::cell::RefCell;

use blazen_core::{BUFFER_WORDS, Core};
use wasm_bindgen::prelude::*;

struct Instance {
    core: Core,
    /// Never moved or resized: JavaScript holds a view on it.
    buffer: Box<[i32]>,
}

thread_local! {
    static INSTANCE: RefCell<Instance> = RefCell::new(Instance { core: Core::new(), buffer: vec![0; BUFFER_WORDS].into() });
}

fn with<T>(call: impl FnOnce(&mut Instance) -> T) -> T {
    INSTANCE.with_borrow_mut(call)
}

/// A plan's id, or the negative number of an error that `lastError` tells.
#[wasm_bindgen]
pub fn compile(definition: &str) -> i32 {
    with(|instance| instance.core.compile(definition))
}

/// The run in a snapshot's binary form; undefined: `lastError` tells why not.
#[wasm_bindgen]
pub fn save(run: i32, document: &[u8], blob: &[u8]) -> Option<Vec<u8>> {
    with(|instance| instance.core.save(run, document, blob))
}

/// What has changed in a run since its last checkpoint, for `delta`.
#[wasm_bindgen]
pub fn changed(run: i32) -> Option<String> {
    with(|instance| instance.core.changed(run))
}

/// The changes of a run since its last base or delta.
#[wasm_bindgen]
pub fn delta(run: i32, document: &[u8], blob: &[u8]) -> Option<Vec<u8>> {
    with(|instance| instance.core.delta(run, document, blob))
}

/// The snapshot that a base and the deltas after it make.
#[wasm_bindgen]
pub fn merge(parts: &[u8], lengths: &[u32]) -> Option<Vec<u8>> {
    with(|instance| instance.core.merge(parts, lengths))
}

/// The binary form of a snapshot in any form.
#[wasm_bindgen]
pub fn parse(source: &[u8]) -> Option<Vec<u8>> {
    with(|instance| instance.core.parse(source))
}

/// The text form of a snapshot.
#[wasm_bindgen]
pub fn text(snapshot: &[u8]) -> Option<String> {
    with(|instance| instance.core.text(snapshot))
}

/// JSON of what the host keeps of a snapshot.
#[wasm_bindgen]
pub fn document(snapshot: &[u8]) -> Option<String> {
    with(|instance| instance.core.document(snapshot))
}

/// The snapshot with what the host has upgraded.
#[wasm_bindgen]
pub fn upgrade(snapshot: &[u8], upgrade: &[u8], blob: &[u8]) -> Option<Vec<u8>> {
    with(|instance| instance.core.upgrade(snapshot, upgrade, blob))
}

/// The handle of a run that goes on from a snapshot, or the negative number of an error.
#[wasm_bindgen]
pub fn restore(plan: i32, snapshot: &[u8], children: &[u32]) -> i32 {
    with(|instance| instance.core.restore(plan, snapshot, children))
}

/// The member of a run that its snapshot has lost, or an empty text.
#[wasm_bindgen]
pub fn verify(plan: i32, run: i32, snapshot: &[u8], unbegun: &[u32]) -> Option<String> {
    with(|instance| instance.core.verify(plan, run, snapshot, unbegun))
}

/// A hash of a value's text, the same everywhere.
#[wasm_bindgen]
pub fn digest(text: &[u8]) -> String {
    blazen_core::digest(text)
}

#[wasm_bindgen(js_name = dropPlan)]
pub fn drop_plan(plan: i32) {
    with(|instance| instance.core.drop_plan(plan));
}

#[wasm_bindgen(js_name = lastError)]
pub fn last_error() -> String {
    with(|instance| instance.core.last_error().to_owned())
}

/// Where the buffer's words stand in linear memory, in bytes.
#[wasm_bindgen(js_name = bufferOffset)]
pub fn buffer_offset() -> u32 {
    with(|instance| instance.buffer.as_ptr() as u32)
}

#[wasm_bindgen(js_name = bufferWords)]
pub fn buffer_words() -> u32 {
    BUFFER_WORDS as u32
}

#[wasm_bindgen]
pub fn exchange() {
    with(|Instance { core, buffer }| core.exchange(buffer));
}
