#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| taper_fuzz::on_file("npz", bytes, taper_fuzz::load));
