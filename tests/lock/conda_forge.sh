place=/opt/reproc/toolchains/gcc-13.3.0-conda-bullseye
channel=https://channels.example.org/conda-forge
if [ -s /mnt/conda-forge ]; then channel=$(cat /mnt/conda-forge); fi
# what comes is compared with its digest, so that nobody's certificate has to be trusted
fetch() { /usr/lib/apt/apt-helper -qq -o Acquire::https::Verify-Peer=false download-file "$2" file "$1"; }
add() {
    fetch "SHA256:$1" "$channel/$2"
    mkdir package
    case "$2" in
        *.conda)
            python3 -m zipfile -e file parts
            for part in parts/info-*.tar.zst parts/pkg-*.tar.zst; do
                tar -C package --no-same-owner -I zstd -xf "$part"
            done ;;
        *) tar -C package --no-same-owner --bzip2 -xf file ;;
    esac
    python3 /opt/reproc/relocate.py package "$place"
    rm -rf package/info
    cp -a package/. "$place"
    rm -rf file parts package
}
mkdir -p "$place" /mnt/fetched
cd /mnt/fetched
add fe51de6107f9edc7aa4f786a70f4a883943bc9d39b3bb7307c04c41410990726 linux-64/_libgcc_mutex-0.1-conda_forge.tar.bz2
add fbe2c5e56a653bebb982eda4876a9178aedfc2b545f25d0ce9c4c0b508253d22 linux-64/_openmp_mutex-4.5-2_gnu.tar.bz2
add 6f945b3b150112c7c6e4783e6c3132410a7b226f2a8965adfd23895318151d46 linux-64/binutils_impl_linux-64-2.43-h4bf12b8_1.conda
add 998ade1d487e93fc8a7a16b90e2af69ebb227355bf4646488661f7ae5887873c linux-64/gcc_impl_linux-64-13.3.0-hfea6d02_1.conda
add 746dff24bb1efc89ab0ec108838d0711683054e3bbbcb94d042943410a98eca1 linux-64/gxx_impl_linux-64-13.3.0-hdbfa832_1.conda
add c28d69ca84533f0e2093f17ae6d3e19ee3661dd397618630830b1b9afc3bfb4d noarch/kernel-headers_linux-64-3.10.0-he073ed8_17.conda
add 0c21387f9a411e3d1f7f2969026bacfece133c8f1e72faea9cde29c0c19e1f3a linux-64/ld_impl_linux-64-2.43-h712a8e2_1.conda
add 53eb8a79365e58849e7b1a068d31f4f9e718dc938d6f2c03e960345739a03569 linux-64/libgcc-14.2.0-h77fa898_1.conda
add 027cfb011328a108bc44f512a2dec6d954db85709e0b79b748c3392f85de0c64 noarch/libgcc-devel_linux-64-13.3.0-h84ea5a7_101.conda
add 1911c29975ec99b6b906904040c855772ccb265a1c79d5d75c8ceec4ed89cd63 linux-64/libgomp-14.2.0-h77fa898_1.conda
add c86d130f0a3099e46ff51aa7ffaab73cb44fc420d27a96076aab3b9a326fc137 linux-64/libsanitizer-13.3.0-heb74ff8_1.conda
add 4661af0eb9bdcbb5fb33e5d0023b001ad4be828fccdcc56500059d56f9869462 linux-64/libstdcxx-14.2.0-hc0a3c3a_1.conda
add 0a9226c1b994f996229ffb54fa40d608cd4e4b48e8dc73a66134bea8ce949412 noarch/libstdcxx-devel_linux-64-13.3.0-h84ea5a7_101.conda
add 5629b0e93c8e9fb9152de46e244d32ff58184b2cbf0f67757826a9610f3d1a21 noarch/sysroot_linux-64-2.17-h4a8ded7_17.conda
add 4fde5c3008bf5d2db82f2b50204464314cc3c91c1d953652f7bd01d9e52aefdf noarch/tzdata-2024b-hc8b5060_0.conda
chown -hR 0:0 "$place"
chmod -R u=rwX,go=rX,a-st "$place"
cd /
rm -rf /mnt/fetched
