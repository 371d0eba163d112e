//! Build script of every package that makes an executable with libtorch in it: tch's link arguments stay with
//! tch, so each such package has to say them again. Its tests and examples are executables too.

/// The program of the package `openledger-attributor-bin` that has libtorch in it. The other one, which starts it,
/// must start without.
const PROGRAM: (&str, &str) = ("openledger-attributor-bin", "attributor-torch");

fn main() {
    println!("cargo:rerun-if-changed=../../build/libtorch.rs");
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    if variable("CARGO_CFG_TARGET_OS") != "linux" {
        return;
    }
    let executables = match variable("CARGO_PKG_NAME") == PROGRAM.0 {
        true => vec![format!("rustc-link-arg-bin={}", PROGRAM.1), "rustc-link-arg-tests".to_owned()],
        false => vec!["rustc-link-arg".to_owned()],
    };
    for argument in executables {
        if let Ok(libtorch) = std::env::var("DEP_TCH_LIBTORCH_LIB") {
            println!("cargo:{argument}=-Wl,-rpath={libtorch}");
        }
        println!("cargo:{argument}=-Wl,--no-as-needed");
        println!("cargo:{argument}=-ltorch");
    }
}
