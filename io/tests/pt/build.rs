//! Archives and pickles made by hand.

use std::io::{Cursor, Write};
use zip::CompressionMethod::{Deflated, Stored};
use zip::write::{SimpleFileOptions, ZipWriter};

/// An archive of some files.
pub fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    packed(files, false)
}

/// The same, deflated or not.
pub fn packed(files: &[(&str, &[u8])], deflate: bool) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let method = if deflate { Deflated } else { Stored };
    for (name, bytes) in files {
        zip.start_file(*name, SimpleFileOptions::default().compression_method(method)).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A file of a pickle that begins with protocol 2 and ends here.
pub fn of_pickle(body: &[u8]) -> Vec<u8> {
    let pickle = [b"\x80\x02", body, b"."].concat();
    archive(&[("x/data.pkl", &pickle), ("x/version", b"3\n")])
}

/// `BINUNICODE`.
pub fn text(text: &str) -> Vec<u8> {
    [b"X", &(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat()
}

/// A storage with the key 0.
pub fn storage(class: &str, elements: u8) -> Vec<u8> {
    let class = format!("ctorch\n{class}\n");
    [&b"("[..], &text("storage"), class.as_bytes(), &text("0"), &text("cpu"), b"K", &[elements], b"tQ"]
        .concat()
}

/// A tensor of such a storage; its offset, sizes and strides as opcodes.
pub fn tensor(class: &str, elements: u8, offset: &[u8], sizes: &[u8], strides: &[u8]) -> Vec<u8> {
    let (rebuild, hooks) =
        (&b"ctorch._utils\n_rebuild_tensor_v2\n("[..], &b"\x89ccollections\nOrderedDict\n)RtR"[..]);
    [rebuild, &storage(class, elements), offset, sizes, strides, hooks].concat()
}

/// A file of an archive, with everything that its headers say.
#[derive(Clone)]
pub struct Raw {
    /// Its name before the data and in the directory.
    pub names: [Vec<u8>; 2],
    pub data: Vec<u8>,
    pub flags: [u16; 2],
    pub method: u16,
    pub sizes: [[u32; 2]; 2],
    pub crc: u32,
    pub disk: u16,
    /// Where the directory says it is, if not where it is.
    pub offset: Option<u32>,
}

impl Raw {
    pub fn new(name: &str, data: &[u8]) -> Raw {
        let size = data.len() as u32;
        Raw {
            names: [name.into(), name.into()],
            data: data.into(),
            flags: [0; 2],
            method: 0,
            sizes: [[size; 2]; 2],
            crc: crc32(data),
            disk: 0,
            offset: None,
        }
    }
}

fn crc32(data: &[u8]) -> u32 {
    !data.iter().fold(!0, |crc: u32, &byte| {
        (0..8).fold(crc ^ byte as u32, |crc, _| (crc >> 1) ^ (0xedb8_8320 & 0u32.wrapping_sub(crc & 1)))
    })
}

/// What the end of an archive says of its directory.
pub struct End {
    pub start: u32,
    pub size: u32,
    pub count: u16,
    pub disk: u16,
}

/// An archive of such files, whose end says what `end` makes of the truth.
pub fn raw(files: &[Raw], end: impl FnOnce(&mut End)) -> Vec<u8> {
    let mut out = Vec::new();
    let mut directory = Vec::new();
    for file in files {
        let offset = out.len() as u32;
        for (i, out) in [&mut out, &mut directory].into_iter().enumerate() {
            let name = &file.names[i];
            let [packed, size] = file.sizes[i];
            out.extend(if i == 0 { &b"PK\x03\x04"[..] } else { b"PK\x01\x02\x14\x00" });
            out.extend([20, 0]);
            out.extend(file.flags[i].to_le_bytes());
            out.extend(file.method.to_le_bytes());
            out.extend([0; 4]);
            out.extend([file.crc, packed, size].map(u32::to_le_bytes).concat());
            out.extend([name.len() as u16, 0].map(u16::to_le_bytes).concat());
            if i == 1 {
                out.extend([0, file.disk, 0, 0, 0].map(u16::to_le_bytes).concat());
                out.extend(file.offset.unwrap_or(offset).to_le_bytes());
            }
            out.extend(name);
        }
        out.extend(&file.data);
    }
    let mut truth =
        End { start: out.len() as u32, size: directory.len() as u32, count: files.len() as u16, disk: 0 };
    end(&mut truth);
    out.extend(directory);
    out.extend(b"PK\x05\x06");
    out.extend([truth.disk, truth.disk, truth.count, truth.count].map(u16::to_le_bytes).concat());
    out.extend([truth.size, truth.start].map(u32::to_le_bytes).concat());
    out.extend([0, 0]);
    out
}
