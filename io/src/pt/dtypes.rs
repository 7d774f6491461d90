//! PyTorch's dtypes: those that taper has, and those that it names in errors.

use taper_tensor::DType;

/// A dtype of PyTorch's, by its place in [`DTYPES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DTypeId(u8);

struct Known {
    name: &'static str,
    /// The class of storages, where there is one.
    storage: &'static str,
    size: usize,
    dtype: Option<DType>,
}

const fn known(name: &'static str, storage: &'static str, size: usize, dtype: Option<DType>) -> Known {
    Known { name, storage, size, dtype }
}

static DTYPES: [Known; 36] = [
    known("uint8", "ByteStorage", 1, Some(DType::U8)),
    known("float32", "FloatStorage", 4, Some(DType::F32)),
    known("float64", "DoubleStorage", 8, Some(DType::F64)),
    known("float16", "HalfStorage", 2, Some(DType::F16)),
    known("bfloat16", "BFloat16Storage", 2, Some(DType::BF16)),
    known("int64", "LongStorage", 8, Some(DType::I64)),
    known("int32", "IntStorage", 4, Some(DType::I32)),
    known("int16", "ShortStorage", 2, Some(DType::I16)),
    known("int8", "CharStorage", 1, Some(DType::I8)),
    known("bool", "BoolStorage", 1, Some(DType::Bool)),
    known("complex64", "ComplexFloatStorage", 8, None),
    known("complex128", "ComplexDoubleStorage", 16, None),
    known("complex32", "ComplexHalfStorage", 4, None),
    known("bcomplex32", "", 4, None),
    known("qint8", "QInt8Storage", 1, None),
    known("quint8", "QUInt8Storage", 1, None),
    known("qint32", "QInt32Storage", 4, None),
    known("quint4x2", "QUInt4x2Storage", 1, None),
    known("quint2x4", "QUInt2x4Storage", 1, None),
    known("uint16", "", 2, None),
    known("uint32", "", 4, None),
    known("uint64", "", 8, None),
    known("float8_e4m3fn", "", 1, None),
    known("float8_e4m3fnuz", "", 1, None),
    known("float8_e5m2", "", 1, None),
    known("float8_e5m2fnuz", "", 1, None),
    known("float8_e8m0fnu", "", 1, None),
    known("float4_e2m1fn_x2", "", 1, None),
    known("bits8", "", 1, None),
    known("bits16", "", 2, None),
    known("bits1x8", "", 1, None),
    known("bits2x4", "", 1, None),
    known("bits4x2", "", 1, None),
    // Names that older versions had.
    known("half", "", 2, Some(DType::F16)),
    known("float", "", 4, Some(DType::F32)),
    known("double", "", 8, Some(DType::F64)),
];

impl DTypeId {
    /// What untyped storages are counted in.
    pub const UINT8: DTypeId = DTypeId(0);

    fn find(fits: impl Fn(&Known) -> bool) -> Option<DTypeId> {
        DTYPES.iter().position(fits).map(|i| DTypeId(i as u8))
    }
    /// The dtype of a class of storages, such as `FloatStorage`.
    pub fn of_storage(class: &str) -> Option<DTypeId> {
        Self::find(|known| !class.is_empty() && known.storage == class)
    }
    /// The dtype of a name, such as `float32`.
    pub fn of_name(name: &str) -> Option<DTypeId> {
        Self::find(|known| known.name == name)
    }
    fn known(self) -> &'static Known {
        &DTYPES[self.0 as usize]
    }
    /// PyTorch's name, such as `float32`.
    pub fn name(self) -> &'static str {
        self.known().name
    }
    /// Bytes of an element.
    pub fn size(self) -> usize {
        self.known().size
    }
    /// The dtype, where taper has it.
    pub fn dtype(self) -> Option<DType> {
        self.known().dtype
    }
}
