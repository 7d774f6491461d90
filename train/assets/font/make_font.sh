#!/usr/bin/env bash
# Makes the two font files of the plots from DejaVu 2.37 (Debian: fonts-dejavu-core) with `pip install fonttools`.
# Letters of Latin, Greek and Cyrillic, digits and the signs of labels; outlines and widths only.
set -euo pipefail
cd "$(dirname "$0")"
from=${1:-/usr/share/fonts/truetype/dejavu}
signs=U+0020-007E,U+00A0-017F,U+0391-03C9,U+0410-044F,U+2013,U+2014,U+2018-201E,U+2022,U+2026,U+2030,U+2032
signs+=,U+2070-2079,U+2080-2089,U+2190-2193,U+2202,U+2207,U+2208,U+2211,U+2212,U+221A,U+221E,U+2248,U+2260,U+2264,U+2265
for font in DejaVuSans DejaVuSans-Bold; do
    pyftsubset "$from/$font.ttf" --unicodes="$signs" --no-hinting --layout-features= --notdef-outline \
        --drop-tables+=GPOS,GSUB,GDEF,kern,FFTM,name,post,OS/2,gasp,prep,fpgm,cvt --output-file="$font-subset.ttf"
done
