//! The directory at an archive's end, and the headers that it points to.

use super::Entry;

const LOCAL: u32 = 0x0403_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
const END64: u32 = 0x0606_4b50;
const LOCATOR64: u32 = 0x0706_4b50;
/// The end record without its comment.
const END_SIZE: usize = 22;
const CENTRAL_SIZE: usize = 46;
const LOCAL_SIZE: usize = 30;

const ENCRYPTED: u16 = 1 << 0 | 1 << 6 | 1 << 13;
const PATCHED: u16 = 1 << 5;
/// Sizes and checksum follow the data.
const DESCRIPTOR: u16 = 1 << 3;

type Result<T> = std::result::Result<T, String>;

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}
fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}
fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

/// A part of the file, if it is there.
fn part(file: &[u8], at: u64, size: usize) -> Option<&[u8]> {
    let at = usize::try_from(at).ok()?;
    file.get(at..at.checked_add(size)?)
}

/// Where the directory lies, and how many entries it has.
struct Place {
    start: usize,
    size: usize,
    count: usize,
}

/// Reads all entries, with every check that needs no contents.
pub(super) fn read(file: &[u8]) -> Result<Vec<Entry>> {
    let place = find(file)?;
    let directory = &file[place.start..place.start + place.size];
    if place.count > place.size / CENTRAL_SIZE {
        return Err(format!("{} entries do not fit in a directory of {} bytes", place.count, place.size));
    }
    let mut entries = Vec::with_capacity(place.count);
    // Where each begins and its bytes end, with its index.
    let mut spans = Vec::with_capacity(place.count);
    let mut at = 0;
    for i in 0..place.count {
        let where_ = place.start + at;
        let header = Central::read(&directory[at..])
            .map_err(|e| format!("the directory's entry {i}, at byte {where_}: {e}"))?;
        at += header.length;
        let named = |e: String| format!("{:?}: {e}", header.name);
        let start = header.local(file, place.start).map_err(named)?;
        spans.push((header.offset, start + header.packed, i));
        entries.push(Entry {
            deflated: header.method == 8,
            crc: Some(header.crc),
            packed: header.packed,
            size: header.size,
            start,
            name: header.name,
        });
    }
    if at != directory.len() {
        return Err(format!("its directory has {} bytes more than its entries", directory.len() - at));
    }
    spans.sort_unstable();
    for pair in spans.windows(2) {
        let [(_, end, a), (start, _, b)] = [pair[0], pair[1]];
        if end > start {
            return Err(format!("{:?} and {:?} overlap", entries[a].name, entries[b].name));
        }
    }
    Ok(entries)
}

/// Finds the directory by the record at the file's end.
fn find(file: &[u8]) -> Result<Place> {
    let cut = || "its directory is missing; is the file cut off?".to_string();
    let last = file.len().checked_sub(END_SIZE).ok_or_else(cut)?;
    let first = last.saturating_sub(u16::MAX as usize);
    // Its comment reaches the end of the file: else these four bytes are somebody's data.
    let fits =
        |&at: &usize| u32_at(file, at) == END && at + END_SIZE + u16_at(file, at + 20) as usize == file.len();
    let at = (first..=last).rev().find(fits).ok_or_else(cut)?;
    let end = &file[at..];
    let (disk, start_disk) = (u16_at(end, 4), u16_at(end, 6));
    let (here, count) = (u16_at(end, 8), u16_at(end, 10));
    let (size, start) = (u32_at(end, 12), u32_at(end, 16));
    let mut place = (start as u64, size as u64, count as u64);
    let mut limit = at;
    let mut disks = (disk as u32, start_disk as u32, here as u64);
    if at >= 20 && u32_at(file, at - 20) == LOCATOR64 {
        let offset = u64_at(file, at - 12);
        let record = part(file, offset, 56).filter(|r| u32_at(r, 0) == END64).ok_or_else(cut)?;
        limit = offset as usize;
        if limit.checked_add(56).is_none_or(|end| end > at - 20) {
            return Err(cut());
        }
        if u32_at(file, at - 16) != 0 || u32_at(file, at - 4) > 1 {
            return Err("it is one part of several".into());
        }
        let wide = (u64_at(record, 48), u64_at(record, 40), u64_at(record, 32));
        let narrow_differs = (start != u32::MAX && wide.0 != start as u64)
            || (size != u32::MAX && wide.1 != size as u64)
            || (count != u16::MAX && wide.2 != count as u64);
        if narrow_differs {
            return Err("its two end records differ".into());
        }
        place = wide;
        disks = (u32_at(record, 16), u32_at(record, 20), u64_at(record, 24));
    }
    if disks.0 != 0 || disks.1 != 0 || disks.2 != place.2 {
        return Err("it is one part of several".into());
    }
    let (start, size) = (place.0, place.1);
    if start.checked_add(size) != Some(limit as u64) {
        return Err(format!(
            "its directory should be the {size} bytes from {start}, and its end record is at byte {limit}; \
             is the file cut off, or something put before it?"
        ));
    }
    let count = usize::try_from(place.2).map_err(|_| cut())?;
    Ok(Place { start: start as usize, size: size as usize, count })
}

/// An entry as the directory describes it.
struct Central {
    name: String,
    flags: u16,
    method: u16,
    crc: u32,
    packed: usize,
    size: usize,
    offset: usize,
    /// Bytes of the description.
    length: usize,
}

impl Central {
    fn read(bytes: &[u8]) -> Result<Central> {
        let fixed = bytes.get(..CENTRAL_SIZE).ok_or("cut off")?;
        if u32_at(fixed, 0) != CENTRAL {
            return Err("not an entry".into());
        }
        let (flags, method) = (u16_at(fixed, 8), u16_at(fixed, 10));
        let (name, extra) = (u16_at(fixed, 28) as usize, u16_at(fixed, 30) as usize);
        let length = CENTRAL_SIZE + name + extra + u16_at(fixed, 32) as usize;
        if length > bytes.len() {
            return Err("cut off".into());
        }
        let (name, rest) = bytes[CENTRAL_SIZE..].split_at(name);
        let name = std::str::from_utf8(name).map_err(|_| "its name is not UTF-8 text")?;
        check_name(name).map_err(|e| format!("{name:?}: {e}"))?;
        let fail = |e: String| format!("{name:?}: {e}");
        let wide = Wide::read(&rest[..extra], fixed).map_err(fail)?;
        if flags & ENCRYPTED != 0 {
            return Err(fail("it is encrypted".into()));
        }
        if flags & PATCHED != 0 || !matches!(method, 0 | 8) {
            return Err(fail(format!("it is compressed by method {method}; 0 and 8 (deflate) are known")));
        }
        if wide.disk != 0 {
            return Err(fail("it is in another part of the archive".into()));
        }
        if method == 0 && wide.packed != wide.size {
            return Err(fail(format!("{} bytes are stored and {} said", wide.packed, wide.size)));
        }
        let size = |n: u64| usize::try_from(n).map_err(|_| fail(format!("a size of {n}")));
        Ok(Central {
            flags,
            method,
            crc: u32_at(fixed, 16),
            packed: size(wide.packed)?,
            size: size(wide.size)?,
            offset: size(wide.offset)?,
            length,
            name: name.to_string(),
        })
    }

    /// Checks the header before the data; gives the data's place.
    fn local(&self, file: &[u8], limit: usize) -> Result<usize> {
        let outside = || format!("it should begin at byte {}, outside of the archive's data", self.offset);
        let file = &file[..limit];
        let fixed = part(file, self.offset as u64, LOCAL_SIZE).ok_or_else(outside)?;
        if u32_at(fixed, 0) != LOCAL {
            return Err(format!("nothing begins at byte {}", self.offset));
        }
        let (name, extra) = (u16_at(fixed, 26) as usize, u16_at(fixed, 28) as usize);
        let rest = &file[self.offset + LOCAL_SIZE..];
        let differs =
            |what: &str| Err(format!("its {what} in the directory is not that at byte {}", self.offset));
        if rest.get(..name) != Some(self.name.as_bytes()) {
            return differs("name");
        }
        let extra = rest.get(name..name + extra).ok_or_else(outside)?;
        if u16_at(fixed, 8) != self.method || (u16_at(fixed, 6) ^ self.flags) & (ENCRYPTED | DESCRIPTOR) != 0
        {
            return differs("kind");
        }
        let (crc, packed, size) = (u32_at(fixed, 14), u32_at(fixed, 18), u32_at(fixed, 22));
        // Left open, to be said after the data; or said here already.
        let open = self.flags & DESCRIPTOR != 0;
        let wide = find_extra(extra, 1);
        let same = |narrow: u32, value: usize, at: usize| match (narrow, wide) {
            (u32::MAX, Some(wide)) if wide.len() >= at + 8 => {
                let wide = u64_at(wide, at);
                wide == value as u64 || (open && wide == 0)
            }
            _ => narrow as usize == value || (open && narrow == 0),
        };
        if !same(size, self.size, 0) || !same(packed, self.packed, 8) {
            return differs("size");
        }
        if crc != self.crc && !(open && crc == 0) {
            return differs("checksum");
        }
        let start = self.offset + LOCAL_SIZE + name + extra.len();
        match start.checked_add(self.packed) {
            Some(end) if end <= limit => Ok(start),
            _ => Err(format!("its {} bytes from {start} are not all there", self.packed)),
        }
    }
}

/// The numbers that may need 64 bits.
struct Wide {
    packed: u64,
    size: u64,
    offset: u64,
    disk: u32,
}

impl Wide {
    fn read(extra: &[u8], fixed: &[u8]) -> Result<Wide> {
        let mut wide = find_extra(extra, 1).unwrap_or(&[]);
        let mut next = |narrow: u32| {
            if narrow != u32::MAX {
                return Ok(narrow as u64);
            }
            let (number, rest) = wide.split_first_chunk::<8>().ok_or("a size is missing")?;
            wide = rest;
            Ok::<_, String>(u64::from_le_bytes(*number))
        };
        let size = next(u32_at(fixed, 24))?;
        let packed = next(u32_at(fixed, 20))?;
        let offset = next(u32_at(fixed, 42))?;
        let disk = match u16_at(fixed, 34) {
            u16::MAX => u32::from_le_bytes(*wide.first_chunk().ok_or("a number is missing")?),
            disk => disk as u32,
        };
        Ok(Wide { packed, size, offset, disk })
    }
}

/// The extra field of a kind. What is not a list of fields has none: it is padding.
fn find_extra(mut extra: &[u8], kind: u16) -> Option<&[u8]> {
    while extra.len() >= 4 {
        let size = u16_at(extra, 2) as usize;
        let field = extra.get(4..4 + size)?;
        if u16_at(extra, 0) == kind {
            return Some(field);
        }
        extra = &extra[4 + size..];
    }
    None
}

/// Names are keys here and never files, but other programs unpack archives.
pub(crate) fn check_name(name: &str) -> Result<()> {
    let drive = matches!(name.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic());
    let out = name.is_empty()
        || drive
        || name.starts_with(['/', '\\'])
        || name.split(['/', '\\']).any(|part| part == "..")
        || name.contains('\0');
    if out { Err("its name is a path out of the archive".into()) } else { Ok(()) }
}
