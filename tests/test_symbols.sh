#!/bin/sh
# test_symbols.sh ARCHIVE: of the engine's core, the index alone calls HDF5. A rank that writes or
# reads a checkpoint so has nothing of it to trust.
set -eu
archive=$1
nm -A -u "$archive" 2>/dev/null | awk '$NF ~ /^H5/' > symbols.txt
if ! grep -q ':index\.c\.o:' symbols.txt; then
    echo "no symbol of HDF5 in index.c.o: the check sees nothing"
    exit 1
fi
if grep -v ':index\.c\.o:' symbols.txt; then
    echo "only index.c may call HDF5"
    exit 1
fi
