//! The pickle machine, in an archive whose checksums are right.
#![no_main]
libfuzzer_sys::fuzz_target!(|pickle: &[u8]| {
    taper_fuzz::on_file("pt", &taper_fuzz::archive(pickle), taper_fuzz::load)
});
