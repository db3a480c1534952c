//! `wasm-bindgen-tool INPUT.wasm OUT_DIR`: writes OUT_DIR/core.js, core_bg.wasm and core.d.ts.

use std::process::ExitCode;

use wasm_bindgen_cli_support::Bindgen;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [input, out] = arguments.as_slice() else {
        eprintln!("usage: wasm-bindgen-tool INPUT.wasm OUT_DIR");
        return ExitCode::from(2);
    };
    let mut bindgen = Bindgen::new();
    bindgen.input_path(input).out_name("core").typescript(true).omit_default_module_path(true);
    match bindgen.web(true).and_then(|bindgen| bindgen.generate(out)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("wasm-bindgen-tool: {error:#}");
            ExitCode::FAILURE
        }
    }
}
