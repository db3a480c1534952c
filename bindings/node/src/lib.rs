//! The core as a Node-API addon: convert, call, convert. One core and one buffer for each thread that loads it.

mod sqlite;

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use blazen_core::{BUFFER_WORDS, Core, ERR_INTERNAL};
use napi::bindgen_prelude::*;
use napi::{Env, sys};
use napi_derive::napi;

struct Instance {
    core: Core,
    /// Never moved or resized: JavaScript holds a view on it for as long as the environment lives.
    buffer: Box<[i32]>,
}

thread_local! {
    static INSTANCE: RefCell<Instance> = RefCell::new(Instance {
        core: Core::new(),
        buffer: vec![0; BUFFER_WORDS].into(),
    });
}

fn with<T>(call: impl FnOnce(&mut Instance) -> T) -> T {
    INSTANCE.with_borrow_mut(call)
}

/// A plan's id, or the negative number of an error that `lastError` tells.
#[napi]
pub fn compile(definition: String) -> i32 {
    caught(|core| core.compile(&definition)).unwrap_or(-ERR_INTERNAL)
}

/// A call that is not on the hot path; a panic is an error that `lastError` tells.
fn caught<T>(call: impl FnOnce(&mut Core) -> T) -> Option<T> {
    with(|Instance { core, .. }| catch_unwind(AssertUnwindSafe(|| call(core))).map_err(|panic| core.poison(-1, &message(&*panic))).ok())
}

/// The run in a snapshot's binary form; null: `lastError` tells why not.
#[napi]
pub fn save<'env>(env: &'env Env, run: i32, document: &[u8], blob: &[u8]) -> Result<Option<BufferSlice<'env>>> {
    copied(env, caught(|core| core.save(run, document, blob)).flatten())
}

/// In the host's own memory: to free what is not costs it more than a copy.
fn copied(env: &Env, bytes: Option<Vec<u8>>) -> Result<Option<BufferSlice<'_>>> {
    bytes.map(|bytes| BufferSlice::copy_from(env, bytes)).transpose()
}

/// What has changed in a run since its last checkpoint, for `delta`.
#[napi]
pub fn changed(run: i32) -> Option<String> {
    caught(|core| core.changed(run)).flatten()
}

/// The changes of a run since its last base or delta.
#[napi]
pub fn delta<'env>(env: &'env Env, run: i32, document: &[u8], blob: &[u8]) -> Result<Option<BufferSlice<'env>>> {
    copied(env, caught(|core| core.delta(run, document, blob)).flatten())
}

/// The snapshot that a base and the deltas after it make.
#[napi]
pub fn merge(parts: &[u8], lengths: &[u32]) -> Option<Buffer> {
    caught(|core| core.merge(parts, lengths)).flatten().map(Buffer::from)
}

/// The binary form of a snapshot in any form.
#[napi]
pub fn parse(source: &[u8]) -> Option<Buffer> {
    caught(|core| core.parse(source)).flatten().map(Buffer::from)
}

/// The text form of a snapshot.
#[napi]
pub fn text(snapshot: &[u8]) -> Option<String> {
    caught(|core| core.text(snapshot)).flatten()
}

/// JSON of what the host keeps of a snapshot.
#[napi]
pub fn document(snapshot: &[u8]) -> Option<String> {
    caught(|core| core.document(snapshot)).flatten()
}

/// The snapshot with what the host has upgraded.
#[napi]
pub fn upgrade(snapshot: &[u8], upgrade: &[u8], blob: &[u8]) -> Option<Buffer> {
    caught(|core| core.upgrade(snapshot, upgrade, blob)).flatten().map(Buffer::from)
}

/// The handle of a run that goes on from a snapshot, or the negative number of an error.
#[napi]
pub fn restore(plan: i32, snapshot: &[u8], children: &[u32]) -> i32 {
    caught(|core| core.restore(plan, snapshot, children)).unwrap_or(-ERR_INTERNAL)
}

/// The member of a run that its snapshot has lost, or an empty text.
#[napi]
pub fn verify(plan: i32, run: i32, snapshot: &[u8], unbegun: &[u32]) -> Option<String> {
    caught(|core| core.verify(plan, run, snapshot, unbegun)).flatten()
}

/// A hash of a value's text, the same everywhere.
#[napi]
pub fn digest(text: &[u8]) -> String {
    blazen_core::digest(text)
}

#[napi]
pub fn drop_plan(plan: i32) {
    with(|instance| instance.core.drop_plan(plan));
}

#[napi]
pub fn last_error() -> String {
    with(|instance| instance.core.last_error().to_owned())
}

/// The words of this thread's buffer as an ArrayBuffer, always the same memory.
#[napi]
pub fn buffer(env: Env) -> Result<Object<'static>> {
    let (data, length) = with(|instance| (instance.buffer.as_mut_ptr(), size_of_val(&*instance.buffer)));
    let mut value = ptr::null_mut();
    // SAFETY: the memory belongs to the thread, whose locals are dropped after its environment and every view on it; it
    // is only touched by this thread, by JavaScript between two calls and by `exchange` during one.
    let status = unsafe { sys::napi_create_external_arraybuffer(env.raw(), data.cast(), length, None, ptr::null_mut(), &mut value) };
    check_status!(status, "no external ArrayBuffer in this runtime")?;
    Ok(Object::from_raw(env.raw(), value))
}

/// `exchange`, registered raw: the generated glue would cost as much again as the call.
#[napi]
pub fn exchange_function(env: Env) -> Result<Object<'static>> {
    let mut value = ptr::null_mut();
    // SAFETY: `exchange` has the signature of a Node-API callback and no data pointer; the name is valid for the call.
    let status = unsafe { sys::napi_create_function(env.raw(), c"exchange".as_ptr(), 8, Some(exchange), ptr::null_mut(), &mut value) };
    check_status!(status)?;
    Ok(Object::from_raw(env.raw(), value))
}

/// SAFETY: called by Node with valid handles, neither of which is used; a panic does not leave it.
unsafe extern "C" fn exchange(_env: sys::napi_env, _info: sys::napi_callback_info) -> sys::napi_value {
    with(|Instance { core, buffer }| {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| core.exchange(buffer))) {
            core.poison(buffer[0], &message(&*panic));
            buffer[1] = -ERR_INTERNAL;
        }
    });
    ptr::null_mut()
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("the core panicked: {}", text.unwrap_or("no message"))
}
