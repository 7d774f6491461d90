// a where cond, else b: `select_dtype(Map<3>)`, inputs (cond, a, b). By size alone: i8, i16, i32, i64
// serve all dtypes.
#include "include/walk.cuh"

typedef DTYPE T;

KERNEL(THREADS) NAME(select)(const Map<3> p) {
    constexpr int V = VECTOR<T>;
    each<V>(
        p,
        [&](Offsets<3> o, int valid) {
            Values<u8, V> c = vector_of<u8, V>(p, 0, o.at[1], valid);
            Values<T, V> a = vector_of<T, V>(p, 1, o.at[2], valid), b = vector_of<T, V>(p, 2, o.at[3], valid);
            Vec<T, V> y;
#pragma unroll
            for (int j = 0; j < V; j++) y.at[j] = c.at[j] ? a.at[j] : b.at[j];
            store(p, o.at[0], valid, y);
        },
        [&](Offsets<3> o) {
            T a = value_of<T>(p, 1, o.at[2]), b = value_of<T>(p, 2, o.at[3]);
            ((T*)p.out)[o.at[0]] = value_of<u8>(p, 0, o.at[1]) ? a : b;
        });
}
