//! The fuzzer, where it is built as one (`fuzz/run`): libFuzzer around the target that `FUZZ_TARGET` names. Built like
//! anything else it tells findings again: `cargo run -p trunkline-fuzz -- TARGET FILE…`.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    static TARGET: std::sync::OnceLock<trunkline_fuzz::Target> = std::sync::OnceLock::new();
    let chosen = || {
        let name = std::env::var("FUZZ_TARGET").expect("FUZZ_TARGET names a target");
        trunkline_fuzz::target(&name).expect("FUZZ_TARGET names a target that there is")
    };
    TARGET.get_or_init(chosen)(data);
});

#[cfg(not(fuzzing))]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_default();
    let Some(target) = trunkline_fuzz::target(&name) else {
        let known: Vec<&str> = trunkline_fuzz::TARGETS.iter().map(|(name, _)| *name).collect();
        return Err(
            format!("usage: trunkline-fuzz TARGET FILE…, with TARGET one of {}", known.join(", ")).into()
        );
    };
    for path in arguments {
        target(&std::fs::read(path)?);
    }
    Ok(())
}
