# The project's chores by name. Everything here is one line that can be typed without just.

# Lists the chores
default:
    @just --list

# What should hold before every commit; seconds when warm
check:
    ./test fmt clippy tidy

# Repairs what a tool can repair
fix:
    cargo clippy --workspace --all-targets --fix --allow-dirty --allow-staged
    cargo fmt --all

# All tests, or the named steps: `just test full`, `just test sdk`
test *STEPS:
    ./test {{ STEPS }}

# Replays the providers' transcripts
fixtures:
    cargo test -p trunkline-providers --test it

# Writes the generated pages, and the documentation of the code
docs:
    cargo run -p trunkline-xtask -- reference write
    cargo doc --workspace --no-deps --document-private-items

# A gateway from this tree, with its data under target/
dev *ARGUMENTS:
    cargo run -- serve --data-dir target/dev-data {{ ARGUMENTS }}

# The load benchmark, against nginx
bench *ARGUMENTS:
    bench/run {{ ARGUMENTS }}

# Looks for bytes that break a promise of the wire crate: `just fuzz 600 streams`
fuzz *ARGUMENTS:
    fuzz/run {{ ARGUMENTS }}

# The static binary, in dist/
dist *TARGET:
    scripts/dist {{ TARGET }}
