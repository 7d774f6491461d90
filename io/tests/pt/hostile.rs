//! Files that want to do harm, and broken ones: an error that says where, at once. How much memory they
//! may take is in `limits.rs`.

use crate::build::{Raw, archive, of_pickle, packed, raw, storage, tensor, text};
use crate::{cases, fixture};
use proptest::prelude::*;
use taper_io::pt::File;
use taper_tensor::State;

/// Loads a file in memory; an error has its name.
fn load(bytes: &[u8]) -> Result<State, String> {
    let all = File::from_bytes("x.pt", bytes.to_vec()).and_then(|file| file.state());
    all.map_err(|e| {
        let message = e.to_string();
        assert!(message.starts_with("x.pt: "), "no name in {message:?}");
        assert!(message.len() < 1000, "{} bytes of message", message.len());
        message
    })
}

#[track_caller]
fn refused(bytes: &[u8], part: &str) {
    match load(bytes) {
        Ok(state) => panic!("{state:?} was taken"),
        Err(message) => assert!(message.contains(part), "{part:?} is not in {message:?}"),
    }
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(fixture(name)).unwrap()
}

const FILES: [&str; 6] =
    ["views.pt", "legacy_views.pt", "plain_4.pt", "deflated.pt", "legacy_plain_4.pt", "v1_test.pt"];

#[test]
fn cut_off_anywhere() {
    for name in FILES {
        let good = read(name);
        load(&good).unwrap();
        for length in 0..good.len() {
            assert!(load(&good[..length]).is_err(), "{length} of {} bytes of {name} were taken", good.len());
        }
    }
}

#[test]
fn every_byte_of_data_is_checked() {
    let good = read("views.pt");
    let archive = zip::ZipArchive::new(std::io::Cursor::new(&good)).unwrap();
    let names: Vec<String> = archive.file_names().map(|n| n.unwrap().to_string()).collect();
    let mut archive = archive;
    let mut checked = 0;
    for name in names.iter().filter(|n| n.ends_with("data.pkl") || n.contains("/data/")) {
        let entry = archive.by_name(name).unwrap();
        let (start, size) = (entry.data_start().unwrap() as usize, entry.size() as usize);
        for at in start..start + size {
            let mut damaged = good.clone();
            damaged[at] ^= 0x10;
            refused(&damaged, "checksum is wrong");
            checked += 1;
        }
    }
    assert!(checked > 500, "{checked}");
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn flipped_bits(
        file in 0..FILES.len(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = read(FILES[file]);
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let _ = load(&bytes);
    }

    /// Pickles without checksums in the way.
    #[test]
    fn flipped_opcodes(
        protocol in 1u8..=5,
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let bytes = read(&format!("plain_{protocol}.pt"));
        let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
        let mut files: Vec<(String, Vec<u8>)> = Vec::new();
        for i in 0..archive.len() {
            let mut entry = archive.by_index(i).unwrap();
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut entry, &mut bytes).unwrap();
            files.push((entry.name().unwrap().to_string(), bytes));
        }
        let pickle = &mut files.iter_mut().find(|(n, _)| n.ends_with("data.pkl")).unwrap().1;
        for (at, value) in flips {
            let at = at.index(pickle.len());
            pickle[at] = value;
        }
        let files: Vec<(&str, &[u8])> = files.iter().map(|(n, b)| (n.as_str(), b.as_slice())).collect();
        let _ = load(&crate::build::archive(&files));
    }

    #[test]
    fn random_opcodes(body in prop::collection::vec(prop::sample::select(OPCODES), 0..80)) {
        let _ = load(&of_pickle(&body.concat()));
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(load(&bytes).is_err());
    }
}

const OPCODES: &[&[u8]] = &[
    b"(",
    b"0",
    b"1",
    b"2",
    b"N",
    b"\x88",
    b"K\x01",
    b"K\x02",
    b"]",
    b"}",
    b")",
    b"t",
    b"\x85",
    b"\x86",
    b"\x87",
    b"a",
    b"e",
    b"s",
    b"u",
    b"q\x00",
    b"h\x00",
    b"q\x01",
    b"h\x01",
    b"\x94",
    b"R",
    b"b",
    b"Q",
    b"\x81",
    b"\x8f",
    b"\x90",
    b"\x91",
    b"d",
    b"l",
    b"X\x01\x00\x00\x00a",
    b"X\x07\x00\x00\x00storage",
    b"U\x01\xff",
    b"ccollections\nOrderedDict\n",
    b"ccollections\ndefaultdict\n",
    b"ctorch\nFloatStorage\n",
    b"ctorch._utils\n_rebuild_tensor_v2\n",
    b"ctorch._utils\n_rebuild_parameter\n",
    b"cbuiltins\nset\n",
    b"cbuiltins\nbytearray\n",
    b"c_codecs\nencode\n",
    b"ctorch\nSize\n",
    b"ctorch\ndevice\n",
    b"ctorch._tensor\n_rebuild_from_type_v2\n",
    b"ctorch\nTensor\n",
];

#[test]
fn lies_about_sizes() {
    let with = |body: Vec<u8>, data: &[u8]| {
        let pickle = [b"\x80\x02", &body[..], b"."].concat();
        archive(&[("x/data.pkl", &pickle), ("x/data/0", data)])
    };
    let (zero, two) = (&b"K\x00"[..], &b"K\x02\x85"[..]);
    let good = with(tensor("FloatStorage", 2, zero, two, b"K\x01\x85"), &[0; 8]);
    load(&good).unwrap();
    for (tensor, data, part) in [
        (
            tensor("FloatStorage", 2, zero, two, b"K\x01\x85"),
            7,
            "has 7 bytes and should hold 2 elements of float32",
        ),
        (tensor("FloatStorage", 2, zero, two, b"K\x01\x85"), 400, "has 400 bytes and should hold 2"),
        (tensor("FloatStorage", 2, b"K\x01", two, b"K\x01\x85"), 8, "reaches outside of the storage"),
        (tensor("FloatStorage", 2, zero, b"K\x03\x85", b"K\x01\x85"), 8, "reaches outside"),
        (tensor("FloatStorage", 2, zero, two, b"K\x02\x85"), 8, "reaches outside"),
        (tensor("FloatStorage", 2, zero, two, b"J\xff\xff\xff\xff\x85"), 8, "reaches outside"),
        (tensor("FloatStorage", 2, b"J\xff\xff\xff\xff", two, b"K\x01\x85"), 8, "offset is -1"),
        (tensor("FloatStorage", 2, zero, b"J\xff\xff\xff\xff\x85", b"K\x01\x85"), 8, "-1 among its sizes"),
        (tensor("FloatStorage", 2, zero, two, b")"), 8, "1 sizes and 0 strides"),
        (tensor("FloatStorage", 2, zero, b"N", b")"), 8, "sizes are None"),
        (
            tensor("FloatStorage", 2, zero, b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f\x85", b"K\x00\x85"),
            8,
            "is too large",
        ),
        (
            tensor("FloatStorage", 2, zero, &[&b"("[..], &b"K\x00".repeat(65), b"t"].concat(), b")"),
            8,
            "65 dimensions",
        ),
        (tensor("ComplexFloatStorage", 2, zero, two, b"K\x01\x85"), 16, "complex64 is not supported"),
        (tensor("Storage", 2, zero, two, b"K\x01\x85"), 16, "torch.Storage"),
    ] {
        refused(&with(tensor, &vec![0; data]), part);
    }
    let missing = of_pickle(&tensor("FloatStorage", 2, zero, two, b"K\x01\x85"));
    refused(&missing, "the archive has no x/data/0");
}

#[test]
fn archives_that_lie() {
    let pickle = b"\x80\x02}.";
    let good =
        [Raw::new("x/data.pkl", pickle), Raw::new("x/version", b"3\n"), Raw::new("x/data/0", b"abcdefgh")];
    load(&raw(&good, |_| ())).unwrap();
    let with = |change: fn(&mut [Raw; 3])| {
        let mut files = good.clone();
        change(&mut files);
        raw(&files, |_| ())
    };
    fn rename(file: &mut Raw, name: &[u8]) {
        file.names = [name.into(), name.into()];
    }
    for name in
        ["../version", "/version", "C:version", "x\\..\\..\\version", "x/../../version", "x\0version", ""]
    {
        let mut files = good.clone();
        rename(&mut files[1], name.as_bytes());
        refused(&raw(&files, |_| ()), "its name is a path out of the archive");
    }
    let twice = r#""x/data.pkl" is there twice"#;
    for (bytes, part) in [
        (with(|f| rename(&mut f[1], b"x/version\xff")), "not UTF-8"),
        (with(|f| rename(&mut f[1], b"x/data.pkl")), twice),
        (with(|f| f[0].names[0] = b"y/data.pkl".into()), "its name in the directory is not that at byte 0"),
        (with(|f| f[0].sizes[0] = [3, 3]), "its size in the directory is not that"),
        (with(|f| f[0].sizes = [[3, 4]; 2]), "3 bytes are stored and 4 said"),
        (with(|f| f[2].sizes = [[80, 80]; 2]), "are not all there"),
        (with(|f| f[2].sizes = [[u32::MAX - 1; 2]; 2]), "are not all there"),
        (with(|f| f[2].sizes = [[u32::MAX; 2]; 2]), "a size is missing"),
        (with(|f| f[0].sizes = [[60, 60]; 2]), "overlap"),
        (with(|f| f[2].offset = Some(0)), "its name in the directory is not that at byte 0"),
        (with(|f| f[2].offset = Some(1)), "nothing begins at byte 1"),
        (with(|f| f[2].offset = Some(1 << 30)), "outside of the archive's data"),
        (with(|f| f[2].offset = Some(u32::MAX)), "a size is missing"),
        (with(|f| f[1].flags = [1; 2]), "encrypted"),
        (with(|f| f[1].flags = [1, 0]), "its kind in the directory"),
        (with(|f| f[1].flags = [1 << 13; 2]), "encrypted"),
        (with(|f| f[1].disk = 1), "in another part"),
        (with(|f| f[1].method = 12), "compressed by method 12"),
        (with(|f| f[0].crc ^= 1), "x/data.pkl: its checksum is wrong"),
        (with(|f| f[1].crc ^= 1), "x/version: its checksum is wrong"),
        (with(|f| f[0].method = 8), "x/data.pkl: it"),
        (raw(&good, |end| end.count = 4), "4 entries do not fit"),
        (raw(&good, |end| end.count = 2), "more than its entries"),
        (raw(&good, |end| end.count = u16::MAX), "do not fit"),
        (raw(&good, |end| end.disk = 1), "one part of several"),
        (raw(&good, |end| end.size += 1), "its directory should be"),
        (raw(&good, |end| end.start = u32::MAX), "its directory should be"),
        (raw(&good, |end| end.start -= 1), "its directory should be"),
        ([b"junk", &raw(&good, |_| ())[..]].concat(), "it begins with"),
        ([&raw(&good, |_| ())[..], b"junk"].concat(), "directory is missing"),
        (raw(&[], |_| ()), "an empty zip archive"),
        (raw(&good[1..], |_| ()), "without x/data.pkl"),
        (archive(&[("x/data.pkl", pickle), ("x/code/y.py", b"")]), "TorchScript"),
        (archive(&[("x/data.pkl", pickle), ("x/byteorder", b"middle")]), "is not a byte order"),
        (archive(&[("x/data.pkl", pickle), ("x/byteorder", &[b'l'; 100])]), "100 bytes are too many"),
        (archive(&[("a.npy", b"")]), "extension .npz"),
    ] {
        refused(&bytes, part);
    }
    // Sizes that follow the data may be left open before it, and nothing else.
    let open = with(|f| (f[0].flags, f[0].sizes[0]) = ([8; 2], [0; 2]));
    load(&open).unwrap();
    refused(&with(|f| (f[0].flags, f[0].sizes[0]) = ([8; 2], [1; 2])), "its size in the directory");
}

#[test]
fn pickles_that_lie() {
    let deep = |n: usize| of_pickle(&[&b"]".repeat(n)[..], &b"a".repeat(n - 1)].concat());
    load(&deep(128)).unwrap();
    refused(&deep(129), "nested deeper than 128 levels");
    refused(&deep(100_000), "nested deeper than 128 levels");
    let tuples = of_pickle(&[&b"N"[..], &b"\x85".repeat(10_000)].concat());
    refused(&tuples, "nested deeper than 128 levels");
    for (body, part) in [
        (&b"]q\x00h\x00a"[..], "0: it contains itself"),
        (b"}q\x00X\x01\x00\x00\x00ah\x00s", "a: it contains itself"),
        (b"]q\x00(]h\x00ae", "contains itself"),
        (b"h\x05", "data.pkl, byte 2: the memo has nothing at 5"),
        (b"j\xff\xff\xff\xff", "the memo has nothing at 4294967295"),
        (b"Nr\xff\xff\xff\xff0j\xff\xff\xff\x7f", "the memo has nothing at 2147483647"),
        (b"", "a value is missing"),
        (b"0", "a value is missing"),
        (b"2", "a value is missing"),
        (b"q\x00", "a value is missing"),
        (b"(", "a value is missing"),
        (b"N(0", "a value is missing"),
        (b"t", "a mark is missing"),
        (b"K\x01(\x85", "a value is missing"),
        (b"NN", "values left over"),
        (b"(N", "values left over"),
        (b"}NNNu", "a mark is missing"),
        (b"}(Nu", "a key without a value"),
        (b"N(NNu", "entries are set in None"),
        (b"N(Ne", "items are appended to None"),
        (b")Na", "items are appended to a tuple"),
        (b"]N\x85R", "a list is called"),
        (b"ccollections\nOrderedDict\nNR", "None in the place of arguments"),
        (b"ccollections\nOrderedDict\nK\x01\x85R", "a dict of an int"),
        (b"ccollections\nOrderedDict\n](K\x01eR", "a list in the place of arguments"),
        (b"ccollections\nOrderedDict\n](K\x01e\x85R", "an int in the place of a key and a value"),
        (b"ctorch._utils\n_rebuild_tensor_v2\n)R", "0 arguments"),
        (b"ctorch._utils\n_rebuild_tensor_v2\n(NNNNNNtR", "wrong kinds"),
        (b"ctorch._utils\n_rebuild_tensor\n(NNNNtR", "None in the place of a storage"),
        (b"ctorch._utils\n_rebuild_parameter\nN\x88N\x87R", "a parameter of None"),
        (b"NQ", "a storage's description has no parts"),
        (b")Q", "another number of parts"),
        (b"(NNNNNtQ", "another tag"),
        (b"NN\x86b", "a value is missing"),
        (b"NNb", "None gets None as its attributes"),
        (b"cos\nsystem\nX\x02\x00\x00\x00ls\x85R", "it names os.system"),
        (b"cbuiltins\neval\nX\x01\x00\x00\x001\x85R", "it names builtins.eval"),
        (b"c__builtin__\ngetattr\n", "it names __builtin__.getattr"),
        (b"X\x02\x00\x00\x00osX\x06\x00\x00\x00system\x93", "it names os.system"),
        (b"NN\x93", "a name that is not text"),
        (b"(ios\nsystem\n", "an object of a class"),
        (b"(cos\nsystem\no", "it names os.system"),
        (b"\x82\x01", "registered number"),
        (b"\x97", "from outside of the file"),
        (b"Ptext\n", "protocol 0"),
        (b"\xfe", "0xfe is not an opcode"),
        (b"\x80\x06", "protocol 6 is not known"),
        (b"c", "cut off"),
        (b"cno newline", "cut off"),
        (b"I12x\n", "not an integer"),
        (b"F1.2.3\n", "not a number"),
        (b"L99999999999999999999L\n", "not an integer of 64 bits"),
        (b"V\\ud800\n", "wrong \\u"),
        (b"S'a\n", "without quotes"),
        (b"X\x02\x00\x00\x00\xed\xa0", "not UTF-8"),
        (b"X\xff\xff\xff\xffabc", "4294967295 bytes are announced and 4 left"),
        (b"\x8d\xff\xff\xff\xff\xff\xff\xff\xffabc", "bytes are announced"),
        (b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7fabc", "bytes are announced"),
        (b"\x96\x00\x00\x00\x00\x01\x00\x00\x00abc", "bytes are announced"),
        (b"\x8b\xff\xff\xff\x7fabc", "bytes are announced"),
        (b"\x95\xff\xff\xff\xff\xff\xff\xff\xffN", "a frame of"),
        (b"\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01", "an integer of 9 bytes"),
        (b"}(NK\x01u", "a dict's key is None"),
        (b"}(G\x00\x00\x00\x00\x00\x00\x00\x00K\x01u", "a dict's key is a float"),
        (b"ccollections\nOrderedDict\n", "a class or function"),
    ] {
        refused(&of_pickle(body), part);
    }
    let early = archive(&[("x/data.pkl", b"\x80\x02N.N.")]);
    refused(&early, "2 bytes are left after the pickle");
    let long = [&b"c"[..], &b"m".repeat(100_000), b"\n", &b"N".repeat(100_000), b"\n"].concat();
    refused(&of_pickle(&long), "…");
}

/// Small files whose values multiply.
#[test]
fn values_that_multiply() {
    // Each level holds the one below ten times.
    let mut laughs = b"]q\x00(".to_vec();
    laughs.extend(b"K\x01".repeat(10));
    laughs.extend(b"e0");
    for level in 0u8..20 {
        laughs.extend([b']', b'q', level + 1, b'(']);
        laughs.extend([b'h', level].repeat(10));
        laughs.extend(b"e0");
    }
    laughs.extend(b"h\x14");
    refused(&of_pickle(&laughs), "shared values that multiply");
    // The same text, list or dict again and again.
    let many = |make: Vec<u8>, each: &[u8]| {
        of_pickle(&[&make[..], b"q\x000](", &each.repeat(30_000), b"e"].concat())
    };
    refused(&many(text(&"a".repeat(100_000)), b"h\x00"), "shared values that multiply");
    refused(
        &many([&b"]("[..], &b"N".repeat(10_000), b"e"].concat(), b"h\x00"),
        "shared values that multiply",
    );
    let pairs = [&b"]("[..], &b"K\x01N\x86".repeat(10_000), b"e"].concat();
    refused(&many(pairs, b"ccollections\nOrderedDict\nh\x00\x85R"), "shared values that multiply");
    let items = [&b"]("[..], &b"N".repeat(10_000), b"e"].concat();
    refused(&many(items, b"cbuiltins\nset\nh\x00\x85R"), "shared values that multiply");
    let latin = text(&"a".repeat(100_000));
    refused(
        &many(latin, b"c_codecs\nencode\nh\x00X\x06\x00\x00\x00latin1\x86R"),
        "shared values that multiply",
    );
    // A long key in many dicts.
    refused(&many(text(&"a".repeat(100_000)), b"}h\x00Ns"), "shared values that multiply");
    // Deep names of many values: listing them costs their length.
    let name = text(&"n".repeat(1_000_000));
    let wide = of_pickle(&[&b"}"[..], &name, b"}(", &wide(30_000), b"us"].concat());
    refused(&wide, "shared values that multiply");
}

/// Entries of a dict: text of one to three characters, and None.
fn wide(count: u32) -> Vec<u8> {
    (0..count).flat_map(|i| [&text(&i.to_string())[..], b"N"].concat()).collect()
}

/// Checksums guard against damage; the limits hold without them.
#[test]
fn deflated_bombs() {
    let zeros = vec![b'N'; 10_000_000];
    let bomb = packed(&[("x/data.pkl", &[b"\x80\x02](", &zeros[..], b"e."].concat())], true);
    assert!(bomb.len() < 20_000);
    refused(&bomb, "are no pickle");
    let some = packed(&[("x/data.pkl", &[b"\x80\x02](", &zeros[..60_000], b"e."].concat())], true);
    refused(&some, "shared values that multiply");
    // A storage that holds what it says, packed a thousandfold, is no bomb.
    let pickle = [&b"\x80\x02"[..], &storage("FloatStorage", 250), b"."].concat();
    let file = packed(&[("x/data.pkl", &pickle), ("x/data/0", &[0; 1000])], true);
    assert_eq!(load(&file).unwrap().as_tensor().unwrap().shape(), [250]);
    let mut claims = packed(&[("x/data.pkl", &pickle), ("x/data/0", &[0; 1000])], true);
    let size = 1000u32.to_le_bytes();
    while let Some(at) = claims.windows(4).position(|w| w == size) {
        claims[at..at + 4].copy_from_slice(&(1u32 << 30).to_le_bytes());
    }
    assert!(load(&claims).is_err());
}

#[test]
fn legacy_files_that_lie() {
    let good = read("legacy_views.pt");
    load(&good).unwrap();
    let magic = good[..15].to_vec();
    refused(&[b"\x80\x02N.", &good[15..]].concat(), "without the number");
    refused(&magic, "cut off");
    refused(&[&magic[..], b"\x80\x02K\x01."].concat(), "a version of the legacy format");
    let head = [&magic[..], b"\x80\x02M\xe9\x03.\x80\x02}."].concat();
    let file = |data: &[u8], keys: &[u8], rest: &[u8]| {
        [&head[..], b"\x80\x02", data, b".\x80\x02", keys, b".", rest].concat()
    };
    let id = storage("FloatStorage", 2);
    let view = [&id[..id.len() - 2], b"(X\x01\x00\x00\x001K\x01K\x01ttQ"].concat();
    let keys = [&b"]"[..], &text("0"), b"a"].concat();
    let whole = [&2u64.to_le_bytes()[..], &1f32.to_le_bytes(), &2f32.to_le_bytes()].concat();
    let loaded = |data: &[u8]| load(&file(data, &keys, &whole)).unwrap().as_tensor().unwrap().to_vec::<f32>();
    assert_eq!(loaded(&[&id[..id.len() - 2], b"NtQ"].concat()), [1.0, 2.0]);
    assert_eq!(loaded(&view), [2.0]);
    for (data, keys, rest, part) in [
        (&id, &b"]"[..], &b""[..], "the file has no storage \"0\""),
        (&id, b"N", b"", "list of storages is none"),
        (&id, b"]Na", b"", "holds something else"),
        (&id, &[&b"]"[..], &text("1"), b"a"].concat(), &whole, "belongs to no tensor"),
        (&id, &keys, b"", "is cut off"),
        (&id, &keys, &whole[..15], "is cut off"),
        (&id, &keys, &[0xff; 16], "is cut off"),
        (&id, &keys, &[3u64.to_le_bytes(), [0; 8], [0; 8]].concat(), "should hold 2 elements"),
        (&id, &[&b"]("[..], &text("0"), &text("0"), b"e"].concat(), &whole.repeat(2), "is there twice"),
    ] {
        refused(&file(data, keys, rest), part);
    }
}
