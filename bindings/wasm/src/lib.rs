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
