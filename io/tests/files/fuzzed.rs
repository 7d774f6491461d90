//! Files that fuzzing made (`fuzz/run`): one for each thing that a reader has to say, and what it found.

use std::path::Path;

#[test]
fn what_fuzzing_made_loads_or_is_refused() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/regressions");
    let dir = tempfile::tempdir().unwrap();
    let (mut fine, mut refused) = (0, 0);
    for target in std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
        // The targets are called as the extensions of their files.
        let path = dir.path().join("fuzzed").with_extension(target.file_name().unwrap());
        for file in std::fs::read_dir(&target).unwrap().map(|e| e.unwrap().path()) {
            std::fs::copy(&file, &path).unwrap();
            match taper_io::load(&path) {
                Ok(_) => fine += 1,
                Err(e) => {
                    assert!(e.to_string().starts_with(path.to_str().unwrap()), "{}: {e}", file.display());
                    refused += 1;
                }
            }
        }
    }
    assert!(fine > 0 && refused > 100, "{fine} loaded, {refused} refused");
}
