/* Made by oracle_answers.py, which says what of. */
#ifndef ORACLE_ANSWERS_H
#define ORACLE_ANSWERS_H

/* clang-format off */

static const uint64_t steps[] = {0, 1, 2, 5};

/* no optimizer */
static const struct answer answers_0[] = {
    {"a", "", RESHARD_DTYPE_F32, 2, {2, 3}, LIKE, {0x04ba001ce1d8515d, 0x04ba001ce1d8515d, 0x04ba001ce1d8515d, 0x04ba001ce1d8515d}},
    {"i", "", RESHARD_DTYPE_I32, 1, {5}, LIKE, {0x770c194a3350fa9f, 0x770c194a3350fa9f, 0x770c194a3350fa9f, 0x770c194a3350fa9f}},
    {"q", "", RESHARD_DTYPE_BOOL, 1, {6}, LIKE, {0x30b0fc8cc6e6b0f8, 0x30b0fc8cc6e6b0f8, 0x30b0fc8cc6e6b0f8, 0x30b0fc8cc6e6b0f8}},
    {"c", "", RESHARD_DTYPE_C128, 1, {3}, LIKE, {0x13f61524eaa4f5b8, 0x13f61524eaa4f5b8, 0x13f61524eaa4f5b8, 0x13f61524eaa4f5b8}},
    {"u", "", RESHARD_DTYPE_U8, 2, {2, 2}, LIKE, {0x5210930478f53918, 0x5210930478f53918, 0x5210930478f53918, 0x5210930478f53918}},
};

/* sgd */
static const struct answer answers_1[] = {
    {"a", "", RESHARD_DTYPE_F32, 2, {2, 3}, LIKE, {0x04ba001ce1d8515d, 0x28a3ace874b73fa9, 0x760f9064b4506933, 0x8fff6d74dc68acad}},
    {"i", "", RESHARD_DTYPE_I32, 1, {5}, LIKE, {0x770c194a3350fa9f, 0x770c194a3350fa9f, 0x770c194a3350fa9f, 0x770c194a3350fa9f}},
    {"q", "", RESHARD_DTYPE_BOOL, 1, {6}, LIKE, {0x30b0fc8cc6e6b0f8, 0x30b0fc8cc6e6b0f8, 0x30b0fc8cc6e6b0f8, 0x30b0fc8cc6e6b0f8}},
    {"c", "", RESHARD_DTYPE_C128, 1, {3}, LIKE, {0x13f61524eaa4f5b8, 0x13f61524eaa4f5b8, 0x13f61524eaa4f5b8, 0x13f61524eaa4f5b8}},
    {"u", "", RESHARD_DTYPE_U8, 2, {2, 2}, LIKE, {0x5210930478f53918, 0x5210930478f53918, 0x5210930478f53918, 0x5210930478f53918}},
    {"w", "", RESHARD_DTYPE_F32, 2, {5, 7}, LIKE, {0xabc027b22e828f09, 0xcbd2ce3b028f3dfd, 0x048fdedd022feb7d, 0x728519fe8c01a7b9}},
    {"v", "", RESHARD_DTYPE_F64, 1, {13}, LIKE, {0xbc11a47be3c220ac, 0x2e1dc7392c9d71fb, 0x88651c797e7dd0fb, 0xd278b08cd08ee7f5}},
    {"b", "", RESHARD_DTYPE_BF16, 1, {9}, LIKE, {0xae4b918cff26955d, 0x5be2f51546fbcad6, 0x40a9eb0e53136a4a, 0x5133cdd393f181f1}},
    {"h", "", RESHARD_DTYPE_F16, 3, {3, 2, 4}, LIKE, {0xcfdad0c3f90c2531, 0xe895463f245612c6, 0xc32bd9234857ca93, 0x98bf34376566b8dc}},
    {"s", "", RESHARD_DTYPE_F32, 0, {0}, LIKE, {0x0d5a825cd62c3629, 0xca190b8c5f063706, 0x68789d50e7b1b573, 0xe6e921b025c02b75}},
};

/* sgd with momentum */
static const struct answer answers_2[] = {
    {"w", "", RESHARD_DTYPE_F32, 2, {5, 7}, LIKE, {0xabc027b22e828f09, 0x3eae2a21ffb742e0, 0xb7185439c474995b, 0xf3cc061ade6e5648}},
    {"w", "momentum_buffer", RESHARD_DTYPE_F32, 2, {5, 7}, LIKE, {ABSENT, 0x848207e892c550ff, 0x284de6b28eca91da, 0x7fe58d2ca3382114}},
    {"v", "", RESHARD_DTYPE_F64, 1, {13}, LIKE, {0xbc11a47be3c220ac, 0x5e9b75149a29eea8, 0xcf160d482180b5d9, 0x12d65e14ef6e55cc}},
    {"v", "momentum_buffer", RESHARD_DTYPE_F32, 1, {13}, LIKE, {ABSENT, 0xaa5162c4fa1561a1, 0x3e8c79a6f24c5136, 0xc50d9b668942e92e}},
    {"b", "", RESHARD_DTYPE_BF16, 1, {9}, LIKE, {0xae4b918cff26955d, 0x5be2f51546fbcad6, 0xf47f5b989b526fcd, 0x3e62c361785bd911}},
    {"b", "momentum_buffer", RESHARD_DTYPE_F32, 1, {9}, LIKE, {ABSENT, 0x25e8fe94ee68880c, 0xc3c1f6857423e387, 0x9000cdf1e7f6f156}},
    {"h", "", RESHARD_DTYPE_F16, 3, {3, 2, 4}, LIKE, {0xcfdad0c3f90c2531, 0xe895463f245612c6, 0x7ca5086f27f4c705, 0x81f6f3e3cfaa6ea0}},
    {"h", "momentum_buffer", RESHARD_DTYPE_F32, 3, {3, 2, 4}, LIKE, {ABSENT, 0x746fb541c6aac4ba, 0x7c036f7fd5d5ee8b, 0x56b074ba11542612}},
    {"s", "", RESHARD_DTYPE_F32, 0, {0}, LIKE, {0x0d5a825cd62c3629, 0xca190b8c5f063706, 0x33a2f44d976ed22e, 0x877fb532da0db779}},
    {"s", "momentum_buffer", RESHARD_DTYPE_F32, 0, {0}, LIKE, {ABSENT, 0xdcfe9ef2b48d17d5, 0x3d168add31bdc484, 0xb52b60f7095bd93a}},
};

/* sgd with momentum, f64 */
static const struct answer answers_3[] = {
    {"d", "", RESHARD_DTYPE_F64, 2, {6, 5}, LIKE, {0x90b6d163d7afc6d8, 0x430406ddf3d93496, 0x973af6dfc4f686b0, 0x91b44b65827742a1}},
    {"d", "momentum_buffer", RESHARD_DTYPE_F64, 2, {6, 5}, LIKE, {ABSENT, 0x4d2f7d2b6d7e5094, 0xee6834eefcceaa77, 0x37cd13afcae0dcda}},
    {"t", "", RESHARD_DTYPE_F64, 3, {2, 3, 4}, LIKE, {0x5810a43b2a5ac57a, 0x6b3b0c5c4af8b2f5, 0x3f6c4d662c9d0581, 0xc6ff5081cbc26afc}},
    {"t", "momentum_buffer", RESHARD_DTYPE_F64, 3, {2, 3, 4}, LIKE, {ABSENT, 0x117b0318f878f540, 0xfe31cee6dc2c2cf1, 0x85541da4150b31e3}},
    {"v", "", RESHARD_DTYPE_F64, 1, {13}, LIKE, {0xbc11a47be3c220ac, 0x2e1dc7392c9d71fb, 0xed7d4ccda4b1553e, 0x7c892deb10d53bbe}},
    {"v", "momentum_buffer", RESHARD_DTYPE_F64, 1, {13}, LIKE, {ABSENT, 0x0fe3720810bc8849, 0x5e22e33c56909575, 0x285b06bee19f5afc}},
};

/* sgd with Nesterov's momentum */
static const struct answer answers_4[] = {
    {"w", "", RESHARD_DTYPE_F32, 2, {5, 7}, LIKE, {0xabc027b22e828f09, 0x35a49e298a95eb09, 0xf283218b22b5c9b2, 0xef85c502685cdf80}},
    {"w", "momentum_buffer", RESHARD_DTYPE_BF16, 2, {5, 7}, LIKE, {ABSENT, 0x951e171e1a555a58, 0x1853b85e0d8e1828, 0x45c89fb7d4427f41}},
    {"v", "", RESHARD_DTYPE_F64, 1, {13}, LIKE, {0xbc11a47be3c220ac, 0x361ac361228679d1, 0xa0f35b604bb995cc, 0xc6e5947db105f208}},
    {"v", "momentum_buffer", RESHARD_DTYPE_BF16, 1, {13}, LIKE, {ABSENT, 0xf7eea1aff3a886ef, 0xc292093e7d5e30e2, 0x38fc4710506450eb}},
    {"b", "", RESHARD_DTYPE_BF16, 1, {9}, LIKE, {0xae4b918cff26955d, 0xf6084b2b307bfc50, 0xf9eaccbaeac20437, 0x7319c60dde1439fc}},
    {"b", "momentum_buffer", RESHARD_DTYPE_BF16, 1, {9}, LIKE, {ABSENT, 0x8811e345b1a10e9b, 0xd83060bbf3e985e5, 0x33c70bc90d8c6720}},
    {"h", "", RESHARD_DTYPE_F16, 3, {3, 2, 4}, LIKE, {0xcfdad0c3f90c2531, 0x9fc48cdc3bd3a21b, 0xe6c00a7f1836ffb1, 0x483644f93aef0b6e}},
    {"h", "momentum_buffer", RESHARD_DTYPE_BF16, 3, {3, 2, 4}, LIKE, {ABSENT, 0xb7d787f4cae8bb96, 0x922834864b766dbc, 0x73767287e29f07e4}},
    {"s", "", RESHARD_DTYPE_F32, 0, {0}, LIKE, {0x0d5a825cd62c3629, 0x6681cd44fe8807ef, 0x90ae0142862e1efe, 0x5b4175a6fe91103e}},
    {"s", "momentum_buffer", RESHARD_DTYPE_BF16, 0, {0}, LIKE, {ABSENT, 0xa6231ae091253038, 0x867348ab9ac24069, 0x6d80d1f6e0fbfc1b}},
};

/* adam */
static const struct answer answers_5[] = {
    {"w", "", RESHARD_DTYPE_F32, 2, {5, 7}, LIKE, {0xabc027b22e828f09, 0x15d3a7b89dbc1e2a, 0x4de134c2c350424e, 0x90ad757cf2ac7097}},
    {"w", "exp_avg", RESHARD_DTYPE_F32, 2, {5, 7}, LIKE, {ABSENT, 0x33f8eebcb9747306, 0xcc11f29de5019805, 0xb9bc2cf5e7d45279}},
    {"w", "exp_avg_sq", RESHARD_DTYPE_F32, 2, {5, 7}, LIKE, {ABSENT, 0x424d46b4dc6c034c, 0x63fa48ff153c16e3, 0x53bb9eb573bb1246}},
    {"w", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
    {"v", "", RESHARD_DTYPE_F64, 1, {13}, LIKE, {0xbc11a47be3c220ac, 0x05d5ac40df3bb7e4, 0x49950ec15f78336a, 0xb1005a86f0c54fee}},
    {"v", "exp_avg", RESHARD_DTYPE_F32, 1, {13}, LIKE, {ABSENT, 0xc4a8312b69b2154d, 0x826888ea57417bcb, 0xdbccbab0d66ca9f1}},
    {"v", "exp_avg_sq", RESHARD_DTYPE_F32, 1, {13}, LIKE, {ABSENT, 0x9d89a0894aeb6ded, 0xe896e0b1d5faf8b8, 0x7cb0c2ca2bf2d6df}},
    {"v", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
    {"b", "", RESHARD_DTYPE_BF16, 1, {9}, LIKE, {0xae4b918cff26955d, 0x6a65d80b98137752, 0x91d3a8c7da1451bd, 0x37750691221d199e}},
    {"b", "exp_avg", RESHARD_DTYPE_F32, 1, {9}, LIKE, {ABSENT, 0xfc20253aed71611c, 0x5463feaa7d6cb8ff, 0xe006cc0d42d3f234}},
    {"b", "exp_avg_sq", RESHARD_DTYPE_F32, 1, {9}, LIKE, {ABSENT, 0x17cecb8ca1520681, 0x21ed9a9b30bba5dc, 0xc4938eef06f2c18e}},
    {"b", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
    {"h", "", RESHARD_DTYPE_F16, 3, {3, 2, 4}, LIKE, {0xcfdad0c3f90c2531, 0x0e1514838f24a9a2, 0x2baf12e4e05f670e, 0x6a0c4a26c148afc6}},
    {"h", "exp_avg", RESHARD_DTYPE_F32, 3, {3, 2, 4}, LIKE, {ABSENT, 0xffd6b0dc05aaf1b7, 0x64062a29be93cbef, 0x51c4aeeadccc858e}},
    {"h", "exp_avg_sq", RESHARD_DTYPE_F32, 3, {3, 2, 4}, LIKE, {ABSENT, 0x37568e391eed8e45, 0x704759cd391b3941, 0x030c452375d73eb7}},
    {"h", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
    {"s", "", RESHARD_DTYPE_F32, 0, {0}, LIKE, {0x0d5a825cd62c3629, 0x6bcf04e14197b23a, 0x5d41abd8ae95b292, 0xa74c18e84e0cb16f}},
    {"s", "exp_avg", RESHARD_DTYPE_F32, 0, {0}, LIKE, {ABSENT, 0x025d1e17773a99e2, 0x72a6ce11f5bf684f, 0x6504e26277e1e41a}},
    {"s", "exp_avg_sq", RESHARD_DTYPE_F32, 0, {0}, LIKE, {ABSENT, 0x431604e147f02b42, 0x7976bb32e44ccec4, 0x389c3ee2a99c0a17}},
    {"s", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
};

/* adam, amsgrad, f64 */
static const struct answer answers_6[] = {
    {"d", "", RESHARD_DTYPE_F64, 2, {6, 5}, LIKE, {0x90b6d163d7afc6d8, 0xd57524217be1d029, 0x11e706f2090b7cbc, 0x144bbb4404e00c4b}},
    {"d", "exp_avg", RESHARD_DTYPE_F64, 2, {6, 5}, LIKE, {ABSENT, 0xfb467488f57bd3fe, 0xf36223dbb9976b81, 0xad34652fb63b2705}},
    {"d", "exp_avg_sq", RESHARD_DTYPE_F64, 2, {6, 5}, LIKE, {ABSENT, 0xa385e35b975c1a81, 0x59118412d99ad8ff, 0xc6b00af1288af2a3}},
    {"d", "max_exp_avg_sq", RESHARD_DTYPE_F64, 2, {6, 5}, LIKE, {ABSENT, 0xa385e35b975c1a81, 0x0e027a57b9ca39d4, 0xe8370ab5ba3655ed}},
    {"d", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
    {"t", "", RESHARD_DTYPE_F64, 3, {2, 3, 4}, LIKE, {0x5810a43b2a5ac57a, 0xc4406affa43ff75b, 0xdbb2e1a1ef63a8d9, 0x4c5aff563e648db3}},
    {"t", "exp_avg", RESHARD_DTYPE_F64, 3, {2, 3, 4}, LIKE, {ABSENT, 0xd1de2157e04259e2, 0xfbd390aa79640213, 0x7f4644279d966908}},
    {"t", "exp_avg_sq", RESHARD_DTYPE_F64, 3, {2, 3, 4}, LIKE, {ABSENT, 0x2299b673d56637eb, 0xa0f3a1968e7a1d5a, 0x49898dce0f8ffc73}},
    {"t", "max_exp_avg_sq", RESHARD_DTYPE_F64, 3, {2, 3, 4}, LIKE, {ABSENT, 0x2299b673d56637eb, 0x9599d533e35be7c8, 0xd898237a3dd53a14}},
    {"t", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
    {"v", "", RESHARD_DTYPE_F64, 1, {13}, LIKE, {0xbc11a47be3c220ac, 0x2d89407746e8e3f5, 0x201372685990e550, 0x93e0ec2af4d9061d}},
    {"v", "exp_avg", RESHARD_DTYPE_F64, 1, {13}, LIKE, {ABSENT, 0x58aff7876ec1c29a, 0x9cfd3243626e5869, 0x1b88e5bfc5796971}},
    {"v", "exp_avg_sq", RESHARD_DTYPE_F64, 1, {13}, LIKE, {ABSENT, 0x2aa25f8dfbb7b23f, 0xb1b24c2101f7e826, 0x3414c001f31d8677}},
    {"v", "max_exp_avg_sq", RESHARD_DTYPE_F64, 1, {13}, LIKE, {ABSENT, 0x2aa25f8dfbb7b23f, 0xd31548f1ff4d77a9, 0x837617af5b4bfd12}},
    {"v", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
};

/* adamw */
static const struct answer answers_7[] = {
    {"w", "", RESHARD_DTYPE_F32, 2, {5, 7}, LIKE, {0xabc027b22e828f09, 0xc770568db2098a3f, 0xcdc69d283caec658, 0xd6c43e7327db2ee2}},
    {"w", "exp_avg", RESHARD_DTYPE_F32, 2, {5, 7}, LIKE, {ABSENT, 0xbd782ddbccfe7663, 0x0be81048ade57f3b, 0xbafa667448e562dd}},
    {"w", "exp_avg_sq", RESHARD_DTYPE_F32, 2, {5, 7}, LIKE, {ABSENT, 0xe9b00184879a6a42, 0xbe32c673d38e062e, 0xc03bf32130e6aa99}},
    {"w", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
    {"v", "", RESHARD_DTYPE_F64, 1, {13}, LIKE, {0xbc11a47be3c220ac, 0x554331892832edf6, 0x74da9412983a7543, 0xd6cd5709b7621d50}},
    {"v", "exp_avg", RESHARD_DTYPE_F32, 1, {13}, LIKE, {ABSENT, 0x166a8eaa25e6c67a, 0xb3c984abf6796797, 0x0693ecd746863c27}},
    {"v", "exp_avg_sq", RESHARD_DTYPE_F32, 1, {13}, LIKE, {ABSENT, 0xca7d66e6ccbc267f, 0x7f973202663c911e, 0xfcd80057b13b951e}},
    {"v", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
    {"b", "", RESHARD_DTYPE_BF16, 1, {9}, LIKE, {0xae4b918cff26955d, 0x2e283380c9ea152f, 0x6e750566bc107cbb, 0xca4005b181de5b2c}},
    {"b", "exp_avg", RESHARD_DTYPE_F32, 1, {9}, LIKE, {ABSENT, 0x80da13fc9bbd5800, 0x22cca5d4da03de59, 0xd29ca52b88d8f592}},
    {"b", "exp_avg_sq", RESHARD_DTYPE_F32, 1, {9}, LIKE, {ABSENT, 0x8926c4c47c075fe0, 0xdfaec04e93b49330, 0xe04a54f67946e7b3}},
    {"b", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
    {"h", "", RESHARD_DTYPE_F16, 3, {3, 2, 4}, LIKE, {0xcfdad0c3f90c2531, 0x35ed6a2e08df334a, 0xa686d480c1fe8371, 0x8347abfd2c35e717}},
    {"h", "exp_avg", RESHARD_DTYPE_F32, 3, {3, 2, 4}, LIKE, {ABSENT, 0xde7e9a7a6f7fbba3, 0x3b680fd721f8d527, 0xa01cc1f058da46f5}},
    {"h", "exp_avg_sq", RESHARD_DTYPE_F32, 3, {3, 2, 4}, LIKE, {ABSENT, 0x73f9166f2e0a6c83, 0x39c7523ecd0d7edc, 0x97d77bfa8c1f35fb}},
    {"h", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
    {"s", "", RESHARD_DTYPE_F32, 0, {0}, LIKE, {0x0d5a825cd62c3629, 0xa93e2236ed69f450, 0x18ff20d61930ee51, 0x6697bc2de1fbd0da}},
    {"s", "exp_avg", RESHARD_DTYPE_F32, 0, {0}, LIKE, {ABSENT, 0x46c61747f4228d47, 0xca5879c3d5008232, 0x4a9e7a24dc35c08e}},
    {"s", "exp_avg_sq", RESHARD_DTYPE_F32, 0, {0}, LIKE, {ABSENT, 0x356b05e70c170bb3, 0x15e397084284f493, 0x612e553d488f5ac2}},
    {"s", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
    {"n", "", RESHARD_DTYPE_F32, 2, {0, 3}, LIKE, {0x0000000000000000, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000}},
    {"n", "exp_avg", RESHARD_DTYPE_F32, 2, {0, 3}, LIKE, {ABSENT, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000}},
    {"n", "exp_avg_sq", RESHARD_DTYPE_F32, 2, {0, 3}, LIKE, {ABSENT, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000}},
    {"n", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
    {"l", "", RESHARD_DTYPE_F32, 1, {0}, LIKE, {0x0000000000000000, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000}},
    {"l", "exp_avg", RESHARD_DTYPE_F32, 1, {0}, LIKE, {ABSENT, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000}},
    {"l", "exp_avg_sq", RESHARD_DTYPE_F32, 1, {0}, LIKE, {ABSENT, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000}},
    {"l", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
};

/* adamw, f64 */
static const struct answer answers_8[] = {
    {"d", "", RESHARD_DTYPE_F64, 2, {6, 5}, LIKE, {0x90b6d163d7afc6d8, 0xa026200b2df7f305, 0x7daa832c72a2bf5e, 0xd33832b252f752a4}},
    {"d", "exp_avg", RESHARD_DTYPE_F64, 2, {6, 5}, LIKE, {ABSENT, 0xd5bc86f84284e764, 0xa1f7b59703a6346d, 0x68888112f3e6608d}},
    {"d", "exp_avg_sq", RESHARD_DTYPE_F64, 2, {6, 5}, LIKE, {ABSENT, 0x2f63d53bae5e3b18, 0xa4ee5fb30bebd9d7, 0x3382d2849dcf6818}},
    {"d", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
    {"t", "", RESHARD_DTYPE_F64, 3, {2, 3, 4}, LIKE, {0x5810a43b2a5ac57a, 0x773a9d2b53ffae25, 0x546e1c56812c4cd3, 0x4ee559149fc5df71}},
    {"t", "exp_avg", RESHARD_DTYPE_F64, 3, {2, 3, 4}, LIKE, {ABSENT, 0x1a1b55ced60e9051, 0x6c35bd7270e934ca, 0xaa0b4ba33bb2b634}},
    {"t", "exp_avg_sq", RESHARD_DTYPE_F64, 3, {2, 3, 4}, LIKE, {ABSENT, 0x1f890c412d4d98c6, 0x5f19d7749c608d4b, 0x3d81afce3564d4c9}},
    {"t", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
    {"v", "", RESHARD_DTYPE_F64, 1, {13}, LIKE, {0xbc11a47be3c220ac, 0x0125e3ec557e73fc, 0xf99672c41303bf0d, 0x1be4bd3d098328ba}},
    {"v", "exp_avg", RESHARD_DTYPE_F64, 1, {13}, LIKE, {ABSENT, 0xa738d666b06f36bd, 0x0e36389a75399f34, 0xb53f4ec0b22f20d9}},
    {"v", "exp_avg_sq", RESHARD_DTYPE_F64, 1, {13}, LIKE, {ABSENT, 0xccdb2ffea893ddae, 0xb1310f323b79e904, 0x4eebb930d1d1347b}},
    {"v", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
};

/* adamw, f16 */
static const struct answer answers_9[] = {
    {"w", "", RESHARD_DTYPE_F32, 2, {5, 7}, LIKE, {0xabc027b22e828f09, 0x89012b4dc1e09ea5, 0x9a8fc6468c9eab17, 0x814d9a12225086e3}},
    {"w", "exp_avg", RESHARD_DTYPE_F16, 2, {5, 7}, LIKE, {ABSENT, 0xfbf0c0131973b2f6, 0x24b318099ceea45c, 0x4592498f232443af}},
    {"w", "exp_avg_sq", RESHARD_DTYPE_F16, 2, {5, 7}, LIKE, {ABSENT, 0x18fdc659c690dfb3, 0xe12b9f00a09c76fa, 0x32b7933baff65003}},
    {"w", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
    {"v", "", RESHARD_DTYPE_F64, 1, {13}, LIKE, {0xbc11a47be3c220ac, 0x943d70b716a585a9, 0xb3eddf421138d7f0, 0x9e340321e1e1f7d6}},
    {"v", "exp_avg", RESHARD_DTYPE_F16, 1, {13}, LIKE, {ABSENT, 0xa2c9245c6ce96d43, 0x214419b607815563, 0x5c7c40e42759ca5e}},
    {"v", "exp_avg_sq", RESHARD_DTYPE_F16, 1, {13}, LIKE, {ABSENT, 0xa4f2034824a1fb2f, 0xa8abc28b95f0f1d9, 0x5460c781156c74e1}},
    {"v", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
    {"b", "", RESHARD_DTYPE_BF16, 1, {9}, LIKE, {0xae4b918cff26955d, 0x2e283380c9ea152f, 0x6e750566bc107cbb, 0xca4005b181de5b2c}},
    {"b", "exp_avg", RESHARD_DTYPE_F16, 1, {9}, LIKE, {ABSENT, 0x8cad543374f5645d, 0x702e92c4df13f5d5, 0x96ea83d2c26e6326}},
    {"b", "exp_avg_sq", RESHARD_DTYPE_F16, 1, {9}, LIKE, {ABSENT, 0xcdfa56b93c4df9f6, 0xb019485ca1ac2da7, 0x3579b794740bbcb5}},
    {"b", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
    {"h", "", RESHARD_DTYPE_F16, 3, {3, 2, 4}, LIKE, {0xcfdad0c3f90c2531, 0xf0639220febbceca, 0xd898349159674263, 0x12a1ae2fbad641cd}},
    {"h", "exp_avg", RESHARD_DTYPE_F16, 3, {3, 2, 4}, LIKE, {ABSENT, 0x372bb1f9f1567803, 0x09f261f702807267, 0x17d99a227d7cbe7d}},
    {"h", "exp_avg_sq", RESHARD_DTYPE_F16, 3, {3, 2, 4}, LIKE, {ABSENT, 0x7da130da44c7cd29, 0x22d5a47f76aaaf8d, 0xe7d2ea4ba30b47c5}},
    {"h", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
    {"s", "", RESHARD_DTYPE_F32, 0, {0}, LIKE, {0x0d5a825cd62c3629, 0xf7237c5f7d6d4e0b, 0x31dc6693ce6a4286, 0xa358a485269989da}},
    {"s", "exp_avg", RESHARD_DTYPE_F16, 0, {0}, LIKE, {ABSENT, 0xd6452625371fbf45, 0x9bace8b87a5e02ba, 0x0d2113afc0c95d9a}},
    {"s", "exp_avg_sq", RESHARD_DTYPE_F16, 0, {0}, LIKE, {ABSENT, 0xafaa011f74b32f9d, 0xceae2e2f78a283e5, 0xec9a71f9368ec865}},
    {"s", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
};

/* adamw, amsgrad, bf16 */
static const struct answer answers_10[] = {
    {"w", "", RESHARD_DTYPE_F32, 2, {5, 7}, LIKE, {0xabc027b22e828f09, 0x9d42d9df23c06155, 0x55d33ef1d7016b19, 0x202238a82be49ae2}},
    {"w", "exp_avg", RESHARD_DTYPE_BF16, 2, {5, 7}, LIKE, {ABSENT, 0x890ad7fab92d3fad, 0x3ee237419540bf36, 0xff89f9b96235e3e5}},
    {"w", "exp_avg_sq", RESHARD_DTYPE_BF16, 2, {5, 7}, LIKE, {ABSENT, 0x268196de8bce144d, 0xd69a85c6611aacf6, 0x00aff30aed99f370}},
    {"w", "max_exp_avg_sq", RESHARD_DTYPE_BF16, 2, {5, 7}, LIKE, {ABSENT, 0x268196de8bce144d, 0x7b653da47f08dae1, 0x53b02701a8ac1a91}},
    {"w", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
    {"v", "", RESHARD_DTYPE_F64, 1, {13}, LIKE, {0xbc11a47be3c220ac, 0x34f5cb0bfe65b3b7, 0x756d0b1d2f77a913, 0x1f4e6ea4e4ea6829}},
    {"v", "exp_avg", RESHARD_DTYPE_BF16, 1, {13}, LIKE, {ABSENT, 0x1828cf8561375745, 0x27c96bd178f28527, 0xb248b878f1c43918}},
    {"v", "exp_avg_sq", RESHARD_DTYPE_BF16, 1, {13}, LIKE, {ABSENT, 0x24c9563ec1a017ab, 0xeed932ff8327a71e, 0x798c3cc84ac7d360}},
    {"v", "max_exp_avg_sq", RESHARD_DTYPE_BF16, 1, {13}, LIKE, {ABSENT, 0x24c9563ec1a017ab, 0xc33e81c320ad03bb, 0xa7662796dca8aa49}},
    {"v", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
    {"b", "", RESHARD_DTYPE_BF16, 1, {9}, LIKE, {0xae4b918cff26955d, 0xa6893e698503b533, 0x5c06de5240c8da46, 0xb8afc1e1983dc3d0}},
    {"b", "exp_avg", RESHARD_DTYPE_BF16, 1, {9}, LIKE, {ABSENT, 0xe43d7d7795782949, 0xa50d33d3e9496f65, 0xb111ae7e12d84cd0}},
    {"b", "exp_avg_sq", RESHARD_DTYPE_BF16, 1, {9}, LIKE, {ABSENT, 0x1dcc2c0a4aa1da2f, 0xd308fca884ca3692, 0x2e3f527439aaf0e0}},
    {"b", "max_exp_avg_sq", RESHARD_DTYPE_BF16, 1, {9}, LIKE, {ABSENT, 0x1dcc2c0a4aa1da2f, 0xd05fa0448dada384, 0x84c42cae9dbc01cb}},
    {"b", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
    {"h", "", RESHARD_DTYPE_F16, 3, {3, 2, 4}, LIKE, {0xcfdad0c3f90c2531, 0xad453f98c00becbc, 0x80dfb291fb05daa2, 0x5cb8acb5e3383741}},
    {"h", "exp_avg", RESHARD_DTYPE_BF16, 3, {3, 2, 4}, LIKE, {ABSENT, 0xe9c459539c91c014, 0x76b48ac34b5f9c01, 0x8eaa5ad51e5717c6}},
    {"h", "exp_avg_sq", RESHARD_DTYPE_BF16, 3, {3, 2, 4}, LIKE, {ABSENT, 0xa22582ab619045bd, 0x64f6b6316c5d2e91, 0xe683f0387fcc1868}},
    {"h", "max_exp_avg_sq", RESHARD_DTYPE_BF16, 3, {3, 2, 4}, LIKE, {ABSENT, 0xa22582ab619045bd, 0xbef9404f156d7e8f, 0x5e86eb607034d196}},
    {"h", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
    {"s", "", RESHARD_DTYPE_F32, 0, {0}, LIKE, {0x0d5a825cd62c3629, 0x30b0c904a24eb1fc, 0xa40e4c600b6f105d, 0xe49295853bcb2a04}},
    {"s", "exp_avg", RESHARD_DTYPE_BF16, 0, {0}, LIKE, {ABSENT, 0xb89c16be3e30783b, 0xc1294a7f2b5fb2d7, 0x5f4f0a05458bf1c6}},
    {"s", "exp_avg_sq", RESHARD_DTYPE_BF16, 0, {0}, LIKE, {ABSENT, 0x543f2a67aee381eb, 0xf1cd5ca516c0567e, 0x5fd9737a6466ced9}},
    {"s", "max_exp_avg_sq", RESHARD_DTYPE_BF16, 0, {0}, LIKE, {ABSENT, 0x543f2a67aee381eb, 0xf1cd5ca516c0567e, 0xf1cd5ca516c0567e}},
    {"s", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
};

/* adafactor */
static const struct answer answers_11[] = {
    {"w", "", RESHARD_DTYPE_F32, 2, {5, 7}, LIKE, {0xabc027b22e828f09, 0xf199bd1182d721f4, 0xabd5baa1a1bf2881, 0xa9f61c34dc89bd7a}},
    {"w", "row_var", RESHARD_DTYPE_F32, 2, {5, 1}, ROW, {ABSENT, 0x16287bd7c9b258aa, 0x4b3bcbeabf40aa21, 0xb18a5db77910d18f}},
    {"w", "col_var", RESHARD_DTYPE_F32, 2, {1, 7}, COLUMN, {ABSENT, 0x23afaa298ee9613b, 0x5125e9f20c0c3510, 0x00cc47d733106955}},
    {"w", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
    {"v", "", RESHARD_DTYPE_F64, 1, {13}, LIKE, {0xbc11a47be3c220ac, 0xee894fcc3daf2c0e, 0x60d5839aa37dd6be, 0xb360d659469e59da}},
    {"v", "variance", RESHARD_DTYPE_F32, 1, {13}, LIKE, {ABSENT, 0x117239401cbc17e9, 0xb54223e44913da72, 0x5b0a4a67af365e7d}},
    {"v", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
    {"b", "", RESHARD_DTYPE_BF16, 1, {9}, LIKE, {0xae4b918cff26955d, 0x4f969cb66519e5f2, 0xb188d4488d37011c, 0x2755837516f16752}},
    {"b", "variance", RESHARD_DTYPE_F32, 1, {9}, LIKE, {ABSENT, 0x30b98fe069411ede, 0x3c1c52311b2de23b, 0x6c1799f7d90d1868}},
    {"b", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
    {"h", "", RESHARD_DTYPE_F16, 3, {3, 2, 4}, LIKE, {0xcfdad0c3f90c2531, 0x7c4fdc04f8a31618, 0x697fa2dd2159b6a9, 0xfbfee7784a9adaf7}},
    {"h", "row_var", RESHARD_DTYPE_F32, 3, {3, 2, 1}, ROW, {ABSENT, 0x6380119cd29eab2b, 0x3599653bffc4951f, 0x966bf7b83e9dbeb7}},
    {"h", "col_var", RESHARD_DTYPE_F32, 3, {3, 1, 4}, COLUMN, {ABSENT, 0x9d42344860a7a5e6, 0x8b2e3aff51322b7c, 0xad96cd39c0e9a6bf}},
    {"h", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
    {"s", "", RESHARD_DTYPE_F32, 0, {0}, LIKE, {0x0d5a825cd62c3629, 0xdaf9656d6a418397, 0xda553c0fabc906a2, 0x65f1119e2ef65e77}},
    {"s", "variance", RESHARD_DTYPE_F32, 0, {0}, LIKE, {ABSENT, 0x24798f07306fe00a, 0xfe377940d3cb23bb, 0xbd2a6720c5a9206c}},
    {"s", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
    {"n", "", RESHARD_DTYPE_F32, 2, {0, 3}, LIKE, {0x0000000000000000, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000}},
    {"n", "row_var", RESHARD_DTYPE_F32, 2, {0, 1}, ROW, {ABSENT, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000}},
    {"n", "col_var", RESHARD_DTYPE_F32, 2, {1, 3}, COLUMN, {ABSENT, 0xaf4bc36300bac460, 0xaf4bc36300bac460, 0xaf4bc36300bac460}},
    {"n", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
    {"l", "", RESHARD_DTYPE_F32, 1, {0}, LIKE, {0x0000000000000000, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000}},
    {"l", "variance", RESHARD_DTYPE_F32, 1, {0}, LIKE, {ABSENT, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000}},
    {"l", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
};

/* adafactor, f64 */
static const struct answer answers_12[] = {
    {"d", "", RESHARD_DTYPE_F64, 2, {6, 5}, LIKE, {0x90b6d163d7afc6d8, 0xb459662f4d6fdec9, 0x00fac0246afab495, 0x778a57e7a80ebb3a}},
    {"d", "row_var", RESHARD_DTYPE_F64, 2, {6, 1}, ROW, {ABSENT, 0x0e003e3ac6d6ab68, 0xa1540ecb2a8cb8c1, 0x9fb18901e49df97e}},
    {"d", "col_var", RESHARD_DTYPE_F64, 2, {1, 5}, COLUMN, {ABSENT, 0x47d94880f56f0fdc, 0x53c1e0c222262731, 0x7f590062566b4946}},
    {"d", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
    {"t", "", RESHARD_DTYPE_F64, 3, {2, 3, 4}, LIKE, {0x5810a43b2a5ac57a, 0x0f90d6573202852f, 0x040269fa7dda80ff, 0xdd31b6d6f1911788}},
    {"t", "row_var", RESHARD_DTYPE_F64, 3, {2, 3, 1}, ROW, {ABSENT, 0x62aebea0ae13ab86, 0x178099f74240474d, 0xd6d9dbe03a1d6a68}},
    {"t", "col_var", RESHARD_DTYPE_F64, 3, {2, 1, 4}, COLUMN, {ABSENT, 0xaca0d4f0a3b6c989, 0x99ecebcc7832201f, 0xcc0c56a506db2b07}},
    {"t", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
    {"v", "", RESHARD_DTYPE_F64, 1, {13}, LIKE, {0xbc11a47be3c220ac, 0xd5a6ad9d7d400543, 0x4afb536cca48c978, 0xa23aa7b5f8fb69f3}},
    {"v", "variance", RESHARD_DTYPE_F64, 1, {13}, LIKE, {ABSENT, 0x39dad9312929d096, 0x6434b591edaf021b, 0xa4a52d80bb0c42b3}},
    {"v", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
};

/* adafactor, bf16 */
static const struct answer answers_13[] = {
    {"w", "", RESHARD_DTYPE_F32, 2, {5, 7}, LIKE, {0xabc027b22e828f09, 0xfce23b72364cd01f, 0x5b3f5b298dd4cf33, 0x4add82a07c3e9242}},
    {"w", "row_var", RESHARD_DTYPE_BF16, 2, {5, 1}, ROW, {ABSENT, 0xe8aea7a6fc80aa27, 0xc31ed98186df35b3, 0xac664fa01ac860a0}},
    {"w", "col_var", RESHARD_DTYPE_BF16, 2, {1, 7}, COLUMN, {ABSENT, 0xec08d3461d187b2b, 0x615773089395a0ad, 0xa433b7d1b9b0f72e}},
    {"w", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
    {"v", "", RESHARD_DTYPE_F64, 1, {13}, LIKE, {0xbc11a47be3c220ac, 0x0423ed2767764546, 0x69860f22a731a197, 0x1b09027f519f78a8}},
    {"v", "variance", RESHARD_DTYPE_BF16, 1, {13}, LIKE, {ABSENT, 0xe0238d1fa42f8e4a, 0xd0d0aa331a7e652a, 0x5a261b85d94a4775}},
    {"v", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
    {"b", "", RESHARD_DTYPE_BF16, 1, {9}, LIKE, {0xae4b918cff26955d, 0x1a74656953817328, 0x60cd513432701cc2, 0x192eecba6e93abe4}},
    {"b", "variance", RESHARD_DTYPE_BF16, 1, {9}, LIKE, {ABSENT, 0xd84d00e6da58251c, 0x14c5aa79baf04592, 0x688521f4c255d480}},
    {"b", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
    {"h", "", RESHARD_DTYPE_F16, 3, {3, 2, 4}, LIKE, {0xcfdad0c3f90c2531, 0x8de172505cc2ec7b, 0xa88ed81c116f1a38, 0x2c9323552b8aca53}},
    {"h", "row_var", RESHARD_DTYPE_BF16, 3, {3, 2, 1}, ROW, {ABSENT, 0x2236268178359058, 0x32ca80cae95be420, 0x45eccb2f1573cbce}},
    {"h", "col_var", RESHARD_DTYPE_BF16, 3, {3, 1, 4}, COLUMN, {ABSENT, 0x85698e1d19f70332, 0x23cce8a75413bfd3, 0x38264b7064e15fb8}},
    {"h", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
    {"s", "", RESHARD_DTYPE_F32, 0, {0}, LIKE, {0x0d5a825cd62c3629, 0x0a2aa372bcf43316, 0x7030594ce49a8c17, 0x3bff87858250aa69}},
    {"s", "variance", RESHARD_DTYPE_BF16, 0, {0}, LIKE, {ABSENT, 0x3b42654d24c4e462, 0x0032025fcc855af3, 0x946e91fb31742565}},
    {"s", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
};

/* adafactor, a variance of nearly 0 */
static const struct answer answers_14[] = {
    {"zero", "", RESHARD_DTYPE_F64, 1, {2}, LIKE, {0xa7f2ea766067505d, 0x9cff5589aca5e3e9, 0xa028a3ca938ad7d4, 0x952a756fe0502364}},
    {"zero", "variance", RESHARD_DTYPE_F64, 1, {2}, LIKE, {ABSENT, 0xa2c56894d4e5bc85, 0xc80aab1bd38d40e7, 0x338994e08025fc6d}},
    {"zero", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
};

/* adafactor, a matrix of nearly 0 */
static const struct answer answers_15[] = {
    {"zero", "", RESHARD_DTYPE_F64, 3, {2, 1, 1}, LIKE, {0xd2d532afbf35ba83, 0x1b90038bf758c66c, 0xd790ddcc83fb83a9, 0xbeba50cb239790da}},
    {"zero", "row_var", RESHARD_DTYPE_F64, 3, {2, 1, 1}, ROW, {ABSENT, 0x2e96585f791c2d20, 0xb0983aff13996939, 0x1f7aba5cf361802e}},
    {"zero", "col_var", RESHARD_DTYPE_F64, 3, {2, 1, 1}, COLUMN, {ABSENT, 0x2e96585f791c2d20, 0xb0983aff13996939, 0x1f7aba5cf361802e}},
    {"zero", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
};

/* adafactor, a parameter of nearly 0 */
static const struct answer answers_16[] = {
    {"zero", "", RESHARD_DTYPE_F64, 0, {0}, LIKE, {0xb2da1a30340a979a, 0xc7133815d50830c1, 0x2c15c4c97e4fe893, 0x51b15d9170443d2f}},
    {"zero", "variance", RESHARD_DTYPE_F64, 0, {0}, LIKE, {ABSENT, 0xe595c70cd8e28a94, 0xac48072600eb9937, 0x5d238c7fc4962d5b}},
    {"zero", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
};

/* adam8bit */
static const struct answer answers_17[] = {
    {"w", "", RESHARD_DTYPE_F32, 2, {5, 7}, LIKE, {0xabc027b22e828f09, 0xc4e441660423a2ae, 0xe0236ce25c40b6a8, 0xe6ce7573ec4c01a9}},
    {"w", "exp_avg", RESHARD_DTYPE_U8, 2, {5, 7}, LIKE, {ABSENT, 0xbee91ec8b8d0046a, 0xefbd2e81267f4975, 0xa35ce6f99e691752}},
    {"w", "exp_avg_sq", RESHARD_DTYPE_U8, 2, {5, 7}, LIKE, {ABSENT, 0xc0284b57b31826c0, 0x0a126bed9fafd408, 0x3e1baea641e32774}},
    {"w", "exp_avg_absmax", RESHARD_DTYPE_F32, 1, {9}, BLOCKS(4), {ABSENT, 0xedd167ac91605dc3, 0x3547c580e8c07426, 0xc29a9a224cf20ae6}},
    {"w", "exp_avg_sq_absmax", RESHARD_DTYPE_F32, 1, {9}, BLOCKS(4), {ABSENT, 0x3ddaa5f85d348697, 0x7a534e27dff4b29f, 0xba6925c3b906ea46}},
    {"w", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
    {"v", "", RESHARD_DTYPE_F64, 1, {13}, LIKE, {0xbc11a47be3c220ac, 0xef32e2072bdde905, 0x84b82c4fd2f8c609, 0x6471f55fa3c67da7}},
    {"v", "exp_avg", RESHARD_DTYPE_U8, 1, {13}, LIKE, {ABSENT, 0x34345fd3aa964ee3, 0x3a55c42e183e5e13, 0x13b05fa9cca1415c}},
    {"v", "exp_avg_sq", RESHARD_DTYPE_U8, 1, {13}, LIKE, {ABSENT, 0xb3a8bc49bcaf8d7b, 0xf9dad0dec78103ea, 0x13c03f3f0e146174}},
    {"v", "exp_avg_absmax", RESHARD_DTYPE_F32, 1, {4}, BLOCKS(4), {ABSENT, 0xdf82f5322bc5ad70, 0x2dc5594e5ec1d432, 0x2db57fbb9e771f90}},
    {"v", "exp_avg_sq_absmax", RESHARD_DTYPE_F32, 1, {4}, BLOCKS(4), {ABSENT, 0x26727450441ed180, 0x7be7621ecc3d4c32, 0x834b599eaabf4074}},
    {"v", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
    {"b", "", RESHARD_DTYPE_BF16, 1, {9}, LIKE, {0xae4b918cff26955d, 0xfe188e0692f2c8ff, 0x436b8579aaf2ee3d, 0x550bc368fff6f2b5}},
    {"b", "exp_avg", RESHARD_DTYPE_U8, 1, {9}, LIKE, {ABSENT, 0x10d3fad101a502f1, 0xdaf606ff2644044f, 0x3d3da0b04e8c0e16}},
    {"b", "exp_avg_sq", RESHARD_DTYPE_U8, 1, {9}, LIKE, {ABSENT, 0xa0664ef4228674c7, 0x91e1d4b4d1ae4856, 0x378672fb46eda27d}},
    {"b", "exp_avg_absmax", RESHARD_DTYPE_F32, 1, {3}, BLOCKS(4), {ABSENT, 0x73655f0fa3d3f0ea, 0xc0fd043263f8dc02, 0xa6083948c173a280}},
    {"b", "exp_avg_sq_absmax", RESHARD_DTYPE_F32, 1, {3}, BLOCKS(4), {ABSENT, 0x69e471c70b969e30, 0x3bc18dd3e6b94759, 0x6c2761e04dd7823d}},
    {"b", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
    {"h", "", RESHARD_DTYPE_F16, 3, {3, 2, 4}, LIKE, {0xcfdad0c3f90c2531, 0xda7477a9bfa3ca95, 0xf90d42250cdd93de, 0xa7646d1e2dbd3e05}},
    {"h", "exp_avg", RESHARD_DTYPE_U8, 3, {3, 2, 4}, LIKE, {ABSENT, 0xa6e52673c30f9a67, 0x45bc0399c2b332eb, 0xb04031217dbaf9a8}},
    {"h", "exp_avg_sq", RESHARD_DTYPE_U8, 3, {3, 2, 4}, LIKE, {ABSENT, 0xd15e9015ca04cccc, 0x6a118ce52152681b, 0x11f0afe797cc5757}},
    {"h", "exp_avg_absmax", RESHARD_DTYPE_F32, 1, {6}, BLOCKS(4), {ABSENT, 0xfb024a7971c4550f, 0x89b140b63303b17e, 0x1e94719c73009122}},
    {"h", "exp_avg_sq_absmax", RESHARD_DTYPE_F32, 1, {6}, BLOCKS(4), {ABSENT, 0x100c9eb20a274d9e, 0x2458ec9253fdca37, 0xd125232c7f7dce22}},
    {"h", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
    {"s", "", RESHARD_DTYPE_F32, 0, {0}, LIKE, {0x0d5a825cd62c3629, 0xa93e2236ed69f450, 0x18ff20d61930ee51, 0x6697bc2de1fbd0da}},
    {"s", "exp_avg", RESHARD_DTYPE_U8, 0, {0}, LIKE, {ABSENT, 0xac83edcd67c06036, 0xac83edcd67c06036, 0xac83edcd67c06036}},
    {"s", "exp_avg_sq", RESHARD_DTYPE_U8, 0, {0}, LIKE, {ABSENT, 0xff00000000000000, 0xff00000000000000, 0xff00000000000000}},
    {"s", "exp_avg_absmax", RESHARD_DTYPE_F32, 1, {1}, BLOCKS(4), {ABSENT, 0x8faa40d223a58205, 0x03342e5602878d70, 0x83f22db10bb2cfcc}},
    {"s", "exp_avg_sq_absmax", RESHARD_DTYPE_F32, 1, {1}, BLOCKS(4), {ABSENT, 0x356b05e70c170bb3, 0x15e397084284f493, 0x612e553d488f5ac2}},
    {"s", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
    {"n", "", RESHARD_DTYPE_F32, 2, {0, 3}, LIKE, {0x0000000000000000, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000}},
    {"n", "exp_avg", RESHARD_DTYPE_U8, 2, {0, 3}, LIKE, {ABSENT, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000}},
    {"n", "exp_avg_sq", RESHARD_DTYPE_U8, 2, {0, 3}, LIKE, {ABSENT, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000}},
    {"n", "exp_avg_absmax", RESHARD_DTYPE_F32, 1, {0}, BLOCKS(4), {ABSENT, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000}},
    {"n", "exp_avg_sq_absmax", RESHARD_DTYPE_F32, 1, {0}, BLOCKS(4), {ABSENT, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000}},
    {"n", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
    {"l", "", RESHARD_DTYPE_F32, 1, {0}, LIKE, {0x0000000000000000, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000}},
    {"l", "exp_avg", RESHARD_DTYPE_U8, 1, {0}, LIKE, {ABSENT, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000}},
    {"l", "exp_avg_sq", RESHARD_DTYPE_U8, 1, {0}, LIKE, {ABSENT, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000}},
    {"l", "exp_avg_absmax", RESHARD_DTYPE_F32, 1, {0}, BLOCKS(4), {ABSENT, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000}},
    {"l", "exp_avg_sq_absmax", RESHARD_DTYPE_F32, 1, {0}, BLOCKS(4), {ABSENT, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000}},
    {"l", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
};

/* adam8bit, a block that is not full */
static const struct answer answers_18[] = {
    {"w", "", RESHARD_DTYPE_F32, 2, {5, 7}, LIKE, {0xabc027b22e828f09, 0xfbe493e2132f59b7, 0x0f5d77239666a870, 0x2a977fd911665d38}},
    {"w", "exp_avg", RESHARD_DTYPE_U8, 2, {5, 7}, LIKE, {ABSENT, 0x929a899b3507c14d, 0x08dd3c4342354620, 0x9044f8e4bb612da6}},
    {"w", "exp_avg_sq", RESHARD_DTYPE_U8, 2, {5, 7}, LIKE, {ABSENT, 0xddcb335aa32ec63b, 0x0f199473a00d6ca9, 0x7eea16a84fb1193c}},
    {"w", "exp_avg_absmax", RESHARD_DTYPE_F32, 1, {1}, BLOCKS(256), {ABSENT, 0x5fc5ecfa14dd4dc2, 0x976dc55edc237c5b, 0x2a36bc4fd62617ae}},
    {"w", "exp_avg_sq_absmax", RESHARD_DTYPE_F32, 1, {1}, BLOCKS(256), {ABSENT, 0xa00f7cc725e7cc2e, 0xaf52749a5aea13bd, 0x9bf926a3c2c8b9c9}},
    {"w", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
    {"v", "", RESHARD_DTYPE_F64, 1, {13}, LIKE, {0xbc11a47be3c220ac, 0xbcd79e6fe5885b7d, 0x3c574f087e7993af, 0x28b67adb4d57ccd2}},
    {"v", "exp_avg", RESHARD_DTYPE_U8, 1, {13}, LIKE, {ABSENT, 0x55c9a468fca9632c, 0x6b8dc78c98121843, 0xc8857e2f1140d34e}},
    {"v", "exp_avg_sq", RESHARD_DTYPE_U8, 1, {13}, LIKE, {ABSENT, 0x5101b46f4cb1b72a, 0xda24b1d1161b3c41, 0x917dfb0738e5048b}},
    {"v", "exp_avg_absmax", RESHARD_DTYPE_F32, 1, {1}, BLOCKS(256), {ABSENT, 0xcce37fdeca7fb4b7, 0x633f7a5b159e477c, 0x6e5a9bf264c2d650}},
    {"v", "exp_avg_sq_absmax", RESHARD_DTYPE_F32, 1, {1}, BLOCKS(256), {ABSENT, 0x633cba268a2ca3ef, 0xe9e7150d7b4368f4, 0xb0b026a40e905351}},
    {"v", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
    {"b", "", RESHARD_DTYPE_BF16, 1, {9}, LIKE, {0xae4b918cff26955d, 0x0a49122879fc07ba, 0x13db49a4f7ad2e20, 0xce8c14713fd160f2}},
    {"b", "exp_avg", RESHARD_DTYPE_U8, 1, {9}, LIKE, {ABSENT, 0x81bb2e10b396942a, 0x7aac35db7ec900f7, 0x833a9d4e2ca1eec6}},
    {"b", "exp_avg_sq", RESHARD_DTYPE_U8, 1, {9}, LIKE, {ABSENT, 0x4b381fa2c6009092, 0x6ce75222a5ad66de, 0x80d578fe982c49b7}},
    {"b", "exp_avg_absmax", RESHARD_DTYPE_F32, 1, {1}, BLOCKS(256), {ABSENT, 0xa297824b0406ca3e, 0x68bbe19ca3e903e9, 0x6b4cef0a15401ab9}},
    {"b", "exp_avg_sq_absmax", RESHARD_DTYPE_F32, 1, {1}, BLOCKS(256), {ABSENT, 0x78e8b039acdff8c6, 0x92c374fa6463c82d, 0x39cc8959c1746705}},
    {"b", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
    {"h", "", RESHARD_DTYPE_F16, 3, {3, 2, 4}, LIKE, {0xcfdad0c3f90c2531, 0xaddf51ed465bc81f, 0x7e74934d3d1f2ff4, 0x87c90bd24822bc20}},
    {"h", "exp_avg", RESHARD_DTYPE_U8, 3, {3, 2, 4}, LIKE, {ABSENT, 0x32b0a36e975bf9e6, 0x36901f8c345f98cb, 0x7d3a2f36539aac80}},
    {"h", "exp_avg_sq", RESHARD_DTYPE_U8, 3, {3, 2, 4}, LIKE, {ABSENT, 0xe24bcda9efeec01a, 0xa56af7f4c1ffad7c, 0x5072879e0e22fcdb}},
    {"h", "exp_avg_absmax", RESHARD_DTYPE_F32, 1, {1}, BLOCKS(256), {ABSENT, 0x038dacebf4151bc4, 0x92aa63420745f38d, 0xad4b412e4daab6b7}},
    {"h", "exp_avg_sq_absmax", RESHARD_DTYPE_F32, 1, {1}, BLOCKS(256), {ABSENT, 0xfe8d04eecc7ce988, 0xe9395dec0bb65e13, 0xf399c4e3207cd983}},
    {"h", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
    {"s", "", RESHARD_DTYPE_F32, 0, {0}, LIKE, {0x0d5a825cd62c3629, 0xa93e2236ed69f450, 0x18ff20d61930ee51, 0x6697bc2de1fbd0da}},
    {"s", "exp_avg", RESHARD_DTYPE_U8, 0, {0}, LIKE, {ABSENT, 0xac83edcd67c06036, 0xac83edcd67c06036, 0xac83edcd67c06036}},
    {"s", "exp_avg_sq", RESHARD_DTYPE_U8, 0, {0}, LIKE, {ABSENT, 0xff00000000000000, 0xff00000000000000, 0xff00000000000000}},
    {"s", "exp_avg_absmax", RESHARD_DTYPE_F32, 1, {1}, BLOCKS(256), {ABSENT, 0x8faa40d223a58205, 0x03342e5602878d70, 0x83f22db10bb2cfcc}},
    {"s", "exp_avg_sq_absmax", RESHARD_DTYPE_F32, 1, {1}, BLOCKS(256), {ABSENT, 0x356b05e70c170bb3, 0x15e397084284f493, 0x612e553d488f5ac2}},
    {"s", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
};

/* adam8bit, blocks of 1 */
static const struct answer answers_19[] = {
    {"d", "", RESHARD_DTYPE_F64, 2, {6, 5}, LIKE, {0x90b6d163d7afc6d8, 0x3f8c2913a27343e7, 0x6485360596437965, 0x63578ce0badf2a8d}},
    {"d", "exp_avg", RESHARD_DTYPE_U8, 2, {6, 5}, LIKE, {ABSENT, 0xbaf3ce93f13936f5, 0x7dce9fc592b06f1f, 0x603f6ca6bdbcc589}},
    {"d", "exp_avg_sq", RESHARD_DTYPE_U8, 2, {6, 5}, LIKE, {ABSENT, 0x4af227227f4f7507, 0x4af227227f4f7507, 0x4af227227f4f7507}},
    {"d", "exp_avg_absmax", RESHARD_DTYPE_F32, 1, {30}, BLOCKS(1), {ABSENT, 0x25963a54b723cbf1, 0x8294502be08cf115, 0x77d3d45eb83c6c61}},
    {"d", "exp_avg_sq_absmax", RESHARD_DTYPE_F32, 1, {30}, BLOCKS(1), {ABSENT, 0x6ee60dc8002aaaf8, 0xf215b0785f3c1d8d, 0xf42488bddeb8a2a2}},
    {"d", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
    {"t", "", RESHARD_DTYPE_F64, 3, {2, 3, 4}, LIKE, {0x5810a43b2a5ac57a, 0x2fb4d2172aadaaf2, 0xc02f35b145ffd4f1, 0x918fc2063e96c993}},
    {"t", "exp_avg", RESHARD_DTYPE_U8, 3, {2, 3, 4}, LIKE, {ABSENT, 0x6979bc34029b2534, 0x1d9c4e62412b82c9, 0x4b129dc2a170501e}},
    {"t", "exp_avg_sq", RESHARD_DTYPE_U8, 3, {2, 3, 4}, LIKE, {ABSENT, 0xa034b38d4617165c, 0xa034b38d4617165c, 0xa034b38d4617165c}},
    {"t", "exp_avg_absmax", RESHARD_DTYPE_F32, 1, {24}, BLOCKS(1), {ABSENT, 0xae7dc2304e1f9ceb, 0x9d5ffe2b87cd5b14, 0xcae661744c96a918}},
    {"t", "exp_avg_sq_absmax", RESHARD_DTYPE_F32, 1, {24}, BLOCKS(1), {ABSENT, 0xee6cd7a8e3e5a9f1, 0x73809aab0717a211, 0xa62457bcba623426}},
    {"t", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
    {"v", "", RESHARD_DTYPE_F64, 1, {13}, LIKE, {0xbc11a47be3c220ac, 0x554331892832edf6, 0x74da9412983a7543, 0xd6cd5709b7621d50}},
    {"v", "exp_avg", RESHARD_DTYPE_U8, 1, {13}, LIKE, {ABSENT, 0xd512320c1aa040ec, 0x5133f638680d43fc, 0x7c03c8f4c9d10f86}},
    {"v", "exp_avg_sq", RESHARD_DTYPE_U8, 1, {13}, LIKE, {ABSENT, 0xcbe4d2dfeebc1fca, 0xcbe4d2dfeebc1fca, 0xcbe4d2dfeebc1fca}},
    {"v", "exp_avg_absmax", RESHARD_DTYPE_F32, 1, {13}, BLOCKS(1), {ABSENT, 0xfd54fb1643fa6b1c, 0x7c2cb10d3e698d7d, 0x3f783d621258cf42}},
    {"v", "exp_avg_sq_absmax", RESHARD_DTYPE_F32, 1, {13}, BLOCKS(1), {ABSENT, 0xca7d66e6ccbc267f, 0x7f973202663c911e, 0xfcd80057b13b951e}},
    {"v", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
};

/* adam8bit, a block of zeros */
static const struct answer answers_20[] = {
    {"zero", "", RESHARD_DTYPE_F32, 1, {4}, LIKE, {0x1d71d66cf89d30f5, 0x113c90b7a266dc2e, 0xceae3687920d031a, 0xf93c581d21afa3d1}},
    {"zero", "exp_avg", RESHARD_DTYPE_U8, 1, {4}, LIKE, {ABSENT, 0x64c96c0e96301d9c, 0xafce41602b2e85e7, 0xfc4dacad4ceee5d1}},
    {"zero", "exp_avg_sq", RESHARD_DTYPE_U8, 1, {4}, LIKE, {ABSENT, 0xe1a326f36ec2440d, 0xffffffff00000000, 0xffffffff00000000}},
    {"zero", "exp_avg_absmax", RESHARD_DTYPE_F32, 1, {4}, BLOCKS(1), {ABSENT, 0xdf92e79b7604ee5d, 0x970c3c4ee018fcaf, 0x2066e4e85fddc0ed}},
    {"zero", "exp_avg_sq_absmax", RESHARD_DTYPE_F32, 1, {4}, BLOCKS(1), {ABSENT, 0xcb384d777321ebfb, 0xddb89bb7ca71ba94, 0xfcc03dbc2083b3a2}},
    {"zero", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
};

/* adam8bit, a tie */
static const struct answer answers_21[] = {
    {"tie", "", RESHARD_DTYPE_F32, 1, {4}, LIKE, {0xade97cf2b670df94, 0x3e11fa445a4b8b4e, 0xb3f8fecaa286455b, 0x2f0e95ae6cefe016}},
    {"tie", "exp_avg", RESHARD_DTYPE_U8, 1, {4}, LIKE, {ABSENT, 0x9f8da0277cb407ab, 0xc54833d50034aa28, 0x13ed2feb9d2a8321}},
    {"tie", "exp_avg_sq", RESHARD_DTYPE_U8, 1, {4}, LIKE, {ABSENT, 0x4ceb6ba6d7835796, 0xe7c43afa978d9cc2, 0x3a969ad680d2854b}},
    {"tie", "exp_avg_absmax", RESHARD_DTYPE_F32, 1, {1}, BLOCKS(4), {ABSENT, 0xd26897f683b41fab, 0x8f937a2195a46505, 0x3a1b1bbf8141ca57}},
    {"tie", "exp_avg_sq_absmax", RESHARD_DTYPE_F32, 1, {1}, BLOCKS(4), {ABSENT, 0x0a95feddca49e021, 0x78d0bba916e2572b, 0xc5c2709aba438cad}},
    {"tie", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
};

/* adafactor, large */
static const struct answer answers_22[] = {
    {"w", "", RESHARD_DTYPE_F32, 2, {37, 31}, LIKE, {0x0d50d5b6b3577a1c, 0x072d64280bdedd28, 0x6f3b68ee4de96b5c, 0x5219862b3b135070}},
    {"w", "row_var", RESHARD_DTYPE_F32, 2, {37, 1}, ROW, {ABSENT, 0x315c92e6bea87322, 0x41678bf0fec92486, 0x4691ca0cfea48c22}},
    {"w", "col_var", RESHARD_DTYPE_F32, 2, {1, 31}, COLUMN, {ABSENT, 0x0046e75c3a940864, 0x3e265c3611a9d43f, 0xb2081a65f0b7873c}},
    {"w", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
};

/* adam8bit, large */
static const struct answer answers_23[] = {
    {"w", "", RESHARD_DTYPE_F32, 1, {1100}, LIKE, {0xc174005f5f9abdb9, 0xe2382874228c858d, 0x2b17490445fc9176, 0xff78e805f5c50f92}},
    {"w", "exp_avg", RESHARD_DTYPE_U8, 1, {1100}, LIKE, {ABSENT, 0xdb284082237c52f3, 0xbd6f67057a981c42, 0x4aea95870a392d3a}},
    {"w", "exp_avg_sq", RESHARD_DTYPE_U8, 1, {1100}, LIKE, {ABSENT, 0x9450e5a2b782e320, 0xaa897bd54633c63d, 0x560a78dd708725b3}},
    {"w", "exp_avg_absmax", RESHARD_DTYPE_F32, 1, {2}, BLOCKS(1030), {ABSENT, 0xcfcad86e0f1a9065, 0x5dc29302ab393ba6, 0xe75768f99c82ded1}},
    {"w", "exp_avg_sq_absmax", RESHARD_DTYPE_F32, 1, {2}, BLOCKS(1030), {ABSENT, 0x9678981dcbf7c49e, 0xb8372a948e155ad2, 0x09b8c5e15b42cd5b}},
    {"w", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
};

/* muon */
static const struct answer answers_24[] = {
    {"w", "", RESHARD_DTYPE_F32, 2, {5, 7}, LIKE, {0xabc027b22e828f09, 0xa69d02157dc2df7a, 0x292e64fd0651f494, 0xd67ba77882baa901}},
    {"w", "momentum_buffer", RESHARD_DTYPE_F32, 2, {5, 7}, LIKE, {ABSENT, 0x486bee60b939c06c, 0xcf601db2596135da, 0xdd7187f2f7bf7106}},
    {"v", "", RESHARD_DTYPE_F64, 1, {13}, LIKE, {0xbc11a47be3c220ac, 0x554331892832edf6, 0x74da9412983a7543, 0xd6cd5709b7621d50}},
    {"v", "exp_avg", RESHARD_DTYPE_F32, 1, {13}, LIKE, {ABSENT, 0x166a8eaa25e6c67a, 0xb3c984abf6796797, 0x0693ecd746863c27}},
    {"v", "exp_avg_sq", RESHARD_DTYPE_F32, 1, {13}, LIKE, {ABSENT, 0xca7d66e6ccbc267f, 0x7f973202663c911e, 0xfcd80057b13b951e}},
    {"v", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
    {"b", "", RESHARD_DTYPE_BF16, 1, {9}, LIKE, {0xae4b918cff26955d, 0x2e283380c9ea152f, 0x6e750566bc107cbb, 0xca4005b181de5b2c}},
    {"b", "exp_avg", RESHARD_DTYPE_F32, 1, {9}, LIKE, {ABSENT, 0x80da13fc9bbd5800, 0x22cca5d4da03de59, 0xd29ca52b88d8f592}},
    {"b", "exp_avg_sq", RESHARD_DTYPE_F32, 1, {9}, LIKE, {ABSENT, 0x8926c4c47c075fe0, 0xdfaec04e93b49330, 0xe04a54f67946e7b3}},
    {"b", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
    {"h", "", RESHARD_DTYPE_F16, 3, {3, 2, 4}, LIKE, {0xcfdad0c3f90c2531, 0x63fa9c3fae3152bd, 0xfe67e5caee582d3e, 0x9243fb93feb44c35}},
    {"h", "momentum_buffer", RESHARD_DTYPE_F32, 3, {3, 2, 4}, LIKE, {ABSENT, 0xd0ce2555611f0fb6, 0x26f77a66ced8bb39, 0xf22495fa521e0e0b}},
    {"s", "", RESHARD_DTYPE_F32, 0, {0}, LIKE, {0x0d5a825cd62c3629, 0xa93e2236ed69f450, 0x18ff20d61930ee51, 0x6697bc2de1fbd0da}},
    {"s", "exp_avg", RESHARD_DTYPE_F32, 0, {0}, LIKE, {ABSENT, 0x46c61747f4228d47, 0xca5879c3d5008232, 0x4a9e7a24dc35c08e}},
    {"s", "exp_avg_sq", RESHARD_DTYPE_F32, 0, {0}, LIKE, {ABSENT, 0x356b05e70c170bb3, 0x15e397084284f493, 0x612e553d488f5ac2}},
    {"s", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
    {"n", "", RESHARD_DTYPE_F32, 2, {0, 3}, LIKE, {0x0000000000000000, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000}},
    {"n", "momentum_buffer", RESHARD_DTYPE_F32, 2, {0, 3}, LIKE, {ABSENT, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000}},
    {"l", "", RESHARD_DTYPE_F32, 1, {0}, LIKE, {0x0000000000000000, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000}},
    {"l", "exp_avg", RESHARD_DTYPE_F32, 1, {0}, LIKE, {ABSENT, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000}},
    {"l", "exp_avg_sq", RESHARD_DTYPE_F32, 1, {0}, LIKE, {ABSENT, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000}},
    {"l", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
};

/* muon, f64 */
static const struct answer answers_25[] = {
    {"d", "", RESHARD_DTYPE_F64, 2, {6, 5}, LIKE, {0x90b6d163d7afc6d8, 0x36665df9e44d0081, 0x20adabc0d36a154d, 0xdd0fd794675017b2}},
    {"d", "momentum_buffer", RESHARD_DTYPE_F64, 2, {6, 5}, LIKE, {ABSENT, 0x742de170836074d3, 0x59e2637f28de6cd0, 0x89440408758c21c0}},
    {"t", "", RESHARD_DTYPE_F64, 3, {2, 3, 4}, LIKE, {0x5810a43b2a5ac57a, 0xa2ba21c8a211c6ca, 0x2952e1d5bb7bd675, 0xd6830bfa70947457}},
    {"t", "momentum_buffer", RESHARD_DTYPE_F64, 3, {2, 3, 4}, LIKE, {ABSENT, 0x2040c0416501fb39, 0x1c2b7c95a6421041, 0x5a10784a4357ae3f}},
    {"v", "", RESHARD_DTYPE_F64, 1, {13}, LIKE, {0xbc11a47be3c220ac, 0x0125e3ec557e73fc, 0xf99672c41303bf0d, 0x1be4bd3d098328ba}},
    {"v", "exp_avg", RESHARD_DTYPE_F64, 1, {13}, LIKE, {ABSENT, 0xa738d666b06f36bd, 0x0e36389a75399f34, 0xb53f4ec0b22f20d9}},
    {"v", "exp_avg_sq", RESHARD_DTYPE_F64, 1, {13}, LIKE, {ABSENT, 0xccdb2ffea893ddae, 0xb1310f323b79e904, 0x4eebb930d1d1347b}},
    {"v", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
};

/* muon, a gradient of 0 */
static const struct answer answers_26[] = {
    {"zero", "", RESHARD_DTYPE_F32, 2, {2, 2}, LIKE, {0x1d71d66cf89d30f5, 0xefacbb55c8d22e84, 0xed0ac614e8f5adf1, 0xbe313cf53f5a45c0}},
    {"zero", "momentum_buffer", RESHARD_DTYPE_BF16, 2, {2, 2}, LIKE, {ABSENT, 0x71c68f04e437668f, 0x97734eb6ae7d0791, 0xddfbb77fec43d024}},
};

/* groups of sgd */
static const char *const patterns_27_0[] = {"none", "layers.{i}.*"};
static const char *const patterns_27_1[] = {"*.w"};
static const char *const patterns_27_2[] = {"head.*"};
static const struct verify_optimizer_group groups_27[] = {
    {patterns_27_0, 2,
     {.lr = 0.1, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-08, .weight_decay = 0.3, .momentum = 0.0, .nesterov = false, .amsgrad = false, .block = 256, .from = 1}},
    {patterns_27_1, 1,
     {.lr = 0.05, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-08, .weight_decay = 0.3, .momentum = 0.8, .nesterov = true, .amsgrad = false, .block = 256, .from = 3}},
    {patterns_27_2, 1,
     {.lr = 0.05, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-08, .weight_decay = 0.3, .momentum = 0.8, .nesterov = false, .amsgrad = false, .block = 256, .from = 6}},
};
static const struct answer answers_27[] = {
    {"layers.0.w", "", RESHARD_DTYPE_F32, 2, {3, 5}, LIKE, {0x7faa931122c80f58, 0x22faa3ac10a0f0a8, 0x83b0afbb117ccb43, 0xa5036156733b2c1f}},
    {"layers.1.w", "", RESHARD_DTYPE_F64, 2, {4, 2}, LIKE, {0xefda9cf8c38a1495, 0x21445ea92a1a5bab, 0xf9d33e8f9095506f, 0xc5c131e3d6eb0e1b}},
    {"layers.x.w", "", RESHARD_DTYPE_F32, 1, {4}, LIKE, {0xef445b08eb2d5e61, 0xef445b08eb2d5e61, 0xef445b08eb2d5e61, 0x0c06e1626ccb5c97}},
    {"layers.x.w", "momentum_buffer", RESHARD_DTYPE_F32, 1, {4}, LIKE, {ABSENT, ABSENT, ABSENT, 0xb48bef1ff5722a00}},
    {"head.w", "", RESHARD_DTYPE_BF16, 2, {2, 3}, LIKE, {0x204635a3369f8515, 0x204635a3369f8515, 0x204635a3369f8515, 0x5cf442969109d905}},
    {"head.w", "momentum_buffer", RESHARD_DTYPE_F32, 2, {2, 3}, LIKE, {ABSENT, ABSENT, ABSENT, 0xbeb36275dce1a0bd}},
    {"head.b", "", RESHARD_DTYPE_F32, 1, {6}, LIKE, {0xe1b37b7c6abca4c3, 0xe1b37b7c6abca4c3, 0xe1b37b7c6abca4c3, 0xe1b37b7c6abca4c3}},
    {"head.b", "momentum_buffer", RESHARD_DTYPE_F32, 1, {6}, LIKE, {ABSENT, ABSENT, ABSENT, ABSENT}},
    {"embed", "", RESHARD_DTYPE_F32, 2, {2, 2}, LIKE, {0xd9758c9daae66b20, 0x0ef0576cd799e757, 0xbf80c9270e20b18b, 0x58823cfc7037b58c}},
    {"embed", "momentum_buffer", RESHARD_DTYPE_F32, 2, {2, 2}, LIKE, {ABSENT, 0xdc794c374c39926e, 0x0192c4e6c525add6, 0xd6818969df65d53d}},
};

/* groups of adam */
static const char *const patterns_28_0[] = {"none", "layers.{i}.*"};
static const char *const patterns_28_1[] = {"*.w"};
static const char *const patterns_28_2[] = {"head.*"};
static const struct verify_optimizer_group groups_28[] = {
    {patterns_28_0, 2,
     {.lr = 0.01, .beta1 = 0.5, .beta2 = 0.6, .eps = 0.001, .weight_decay = 0.3, .momentum = 0.0, .nesterov = false, .amsgrad = true, .block = 256, .from = 1}},
    {patterns_28_1, 1,
     {.lr = 0.01, .beta1 = 0.7, .beta2 = 0.8, .eps = 0.1, .weight_decay = 0.3, .momentum = 0.0, .nesterov = false, .amsgrad = false, .block = 256, .from = 3}},
    {patterns_28_2, 1,
     {.lr = 0.01, .beta1 = 0.7, .beta2 = 0.6, .eps = 0.001, .weight_decay = 0.3, .momentum = 0.0, .nesterov = false, .amsgrad = false, .block = 256, .from = 6}},
};
static const struct answer answers_28[] = {
    {"layers.0.w", "", RESHARD_DTYPE_F32, 2, {3, 5}, LIKE, {0x7faa931122c80f58, 0x600e758cb5472f88, 0xe32ae8620014b515, 0x706bd46c3c180d05}},
    {"layers.0.w", "exp_avg", RESHARD_DTYPE_F32, 2, {3, 5}, LIKE, {ABSENT, 0x35c35bbe1698c15c, 0x9b87e95da98dffc9, 0xaed8f3dd2f13a0bf}},
    {"layers.0.w", "exp_avg_sq", RESHARD_DTYPE_F32, 2, {3, 5}, LIKE, {ABSENT, 0x0fa6bbb423176c53, 0xae481a4c6117387f, 0x278c4f599c0f1e1b}},
    {"layers.0.w", "max_exp_avg_sq", RESHARD_DTYPE_F32, 2, {3, 5}, LIKE, {ABSENT, 0x0fa6bbb423176c53, 0xab68e4b194ece6df, 0xf31b5b7744cd1f85}},
    {"layers.0.w", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
    {"layers.1.w", "", RESHARD_DTYPE_F64, 2, {4, 2}, LIKE, {0xefda9cf8c38a1495, 0xe86f30b1c3216f0a, 0x321a854253e7871d, 0x2243b31e85b47ee2}},
    {"layers.1.w", "exp_avg", RESHARD_DTYPE_F32, 2, {4, 2}, LIKE, {ABSENT, 0x80af4a89c4faca9f, 0xb16e2f2c81efccad, 0x212f7f95f87f6837}},
    {"layers.1.w", "exp_avg_sq", RESHARD_DTYPE_F32, 2, {4, 2}, LIKE, {ABSENT, 0xdc0fd89ca7f63f46, 0x12fea9c8cbed7be6, 0x00951b3e6e897843}},
    {"layers.1.w", "max_exp_avg_sq", RESHARD_DTYPE_F32, 2, {4, 2}, LIKE, {ABSENT, 0xdc0fd89ca7f63f46, 0x2b379ae211108b55, 0x918e5507e08dbbca}},
    {"layers.1.w", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
    {"layers.x.w", "", RESHARD_DTYPE_F32, 1, {4}, LIKE, {0xef445b08eb2d5e61, 0xef445b08eb2d5e61, 0xef445b08eb2d5e61, 0x1f683e858a15bc10}},
    {"layers.x.w", "exp_avg", RESHARD_DTYPE_F32, 1, {4}, LIKE, {ABSENT, ABSENT, ABSENT, 0xa4c98eb72c0882b3}},
    {"layers.x.w", "exp_avg_sq", RESHARD_DTYPE_F32, 1, {4}, LIKE, {ABSENT, ABSENT, ABSENT, 0xabd7bee7165a5e71}},
    {"layers.x.w", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, ABSENT, ABSENT, 0x1102428f497547d2}},
    {"head.w", "", RESHARD_DTYPE_BF16, 2, {2, 3}, LIKE, {0x204635a3369f8515, 0x204635a3369f8515, 0x204635a3369f8515, 0x01d08339bf779a80}},
    {"head.w", "exp_avg", RESHARD_DTYPE_F32, 2, {2, 3}, LIKE, {ABSENT, ABSENT, ABSENT, 0x42d5896611e714ee}},
    {"head.w", "exp_avg_sq", RESHARD_DTYPE_F32, 2, {2, 3}, LIKE, {ABSENT, ABSENT, ABSENT, 0xaa79b65f8f666ca0}},
    {"head.w", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, ABSENT, ABSENT, 0x1102428f497547d2}},
    {"head.b", "", RESHARD_DTYPE_F32, 1, {6}, LIKE, {0xe1b37b7c6abca4c3, 0xe1b37b7c6abca4c3, 0xe1b37b7c6abca4c3, 0xe1b37b7c6abca4c3}},
    {"head.b", "exp_avg", RESHARD_DTYPE_F32, 1, {6}, LIKE, {ABSENT, ABSENT, ABSENT, ABSENT}},
    {"head.b", "exp_avg_sq", RESHARD_DTYPE_F32, 1, {6}, LIKE, {ABSENT, ABSENT, ABSENT, ABSENT}},
    {"head.b", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, ABSENT, ABSENT, ABSENT}},
    {"embed", "", RESHARD_DTYPE_F32, 2, {2, 2}, LIKE, {0xd9758c9daae66b20, 0x4bed6f47d61224f0, 0x12bf2f83ae292a38, 0xd046ca2b72424b06}},
    {"embed", "exp_avg", RESHARD_DTYPE_F32, 2, {2, 2}, LIKE, {ABSENT, 0x9f85c3fab2d8634b, 0x56f2d096c0a5111e, 0x0d8f07d5c3bb7ce8}},
    {"embed", "exp_avg_sq", RESHARD_DTYPE_F32, 2, {2, 2}, LIKE, {ABSENT, 0x0a36cb5f688d5cd8, 0xa950b6c6f61ac08f, 0x873b33c826f52792}},
    {"embed", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
};

/* groups of adafactor */
static const char *const patterns_29_0[] = {"none", "layers.{i}.*"};
static const char *const patterns_29_1[] = {"*.w"};
static const char *const patterns_29_2[] = {"head.*"};
static const struct verify_optimizer_group groups_29[] = {
    {patterns_29_0, 2,
     {.lr = 0.01, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-08, .weight_decay = 0.3, .momentum = 0.0, .nesterov = false, .amsgrad = false, .block = 256, .from = 1}},
    {patterns_29_1, 1,
     {.lr = 0.46, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-08, .weight_decay = 0.0, .momentum = 0.0, .nesterov = false, .amsgrad = false, .block = 256, .from = 3}},
    {patterns_29_2, 1,
     {.lr = 0.46, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-08, .weight_decay = 0.3, .momentum = 0.0, .nesterov = false, .amsgrad = false, .block = 256, .from = 6}},
};
static const struct answer answers_29[] = {
    {"layers.0.w", "", RESHARD_DTYPE_F32, 2, {3, 5}, LIKE, {0x7faa931122c80f58, 0xc811fb55f115e7cf, 0xdb083b641890ccb9, 0xd47f41651d91b7df}},
    {"layers.0.w", "row_var", RESHARD_DTYPE_F32, 2, {3, 1}, ROW, {ABSENT, 0xe8645050a81a80d6, 0x1ee472084472b3df, 0x78e5a1cac9cd0419}},
    {"layers.0.w", "col_var", RESHARD_DTYPE_F32, 2, {1, 5}, COLUMN, {ABSENT, 0xc93c6f11d090c182, 0x6253e57424d4e434, 0x03eb99471c48c265}},
    {"layers.0.w", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
    {"layers.1.w", "", RESHARD_DTYPE_F64, 2, {4, 2}, LIKE, {0xefda9cf8c38a1495, 0xdccb18e70736b2a9, 0x28d0d46704a980b0, 0xce5301dc37a5ac0f}},
    {"layers.1.w", "row_var", RESHARD_DTYPE_F32, 2, {4, 1}, ROW, {ABSENT, 0x146707149d638d52, 0xb0a07c6e4cc2c3ac, 0x8c85ae14b2d4f485}},
    {"layers.1.w", "col_var", RESHARD_DTYPE_F32, 2, {1, 2}, COLUMN, {ABSENT, 0x33038f2804f57ec7, 0x625f0814586cf495, 0x29515bc98840bcb0}},
    {"layers.1.w", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
    {"layers.x.w", "", RESHARD_DTYPE_F32, 1, {4}, LIKE, {0xef445b08eb2d5e61, 0xef445b08eb2d5e61, 0xef445b08eb2d5e61, 0xbf6b61bd807f55c1}},
    {"layers.x.w", "variance", RESHARD_DTYPE_F32, 1, {4}, LIKE, {ABSENT, ABSENT, ABSENT, 0x2c1cd61052c6ae51}},
    {"layers.x.w", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, ABSENT, ABSENT, 0x1102428f497547d2}},
    {"head.w", "", RESHARD_DTYPE_BF16, 2, {2, 3}, LIKE, {0x204635a3369f8515, 0x204635a3369f8515, 0x204635a3369f8515, 0x84260792fb3ccb27}},
    {"head.w", "row_var", RESHARD_DTYPE_F32, 2, {2, 1}, ROW, {ABSENT, ABSENT, ABSENT, 0xf0a63e2e3f857ac8}},
    {"head.w", "col_var", RESHARD_DTYPE_F32, 2, {1, 3}, COLUMN, {ABSENT, ABSENT, ABSENT, 0xe039b18804bb419c}},
    {"head.w", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, ABSENT, ABSENT, 0x1102428f497547d2}},
    {"head.b", "", RESHARD_DTYPE_F32, 1, {6}, LIKE, {0xe1b37b7c6abca4c3, 0xe1b37b7c6abca4c3, 0xe1b37b7c6abca4c3, 0xe1b37b7c6abca4c3}},
    {"head.b", "variance", RESHARD_DTYPE_F32, 1, {6}, LIKE, {ABSENT, ABSENT, ABSENT, ABSENT}},
    {"head.b", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, ABSENT, ABSENT, ABSENT}},
    {"embed", "", RESHARD_DTYPE_F32, 2, {2, 2}, LIKE, {0xd9758c9daae66b20, 0x2603b8a5f9473294, 0x4a0eeedcf990e246, 0x498f55906a2fcd8a}},
    {"embed", "row_var", RESHARD_DTYPE_F32, 2, {2, 1}, ROW, {ABSENT, 0x24c63967fb7dc905, 0x65525b42112a26b7, 0x60894105f0c1aaed}},
    {"embed", "col_var", RESHARD_DTYPE_F32, 2, {1, 2}, COLUMN, {ABSENT, 0x70284fcfadb08efa, 0x48e33e89001d6181, 0xfb01f6e880fc696e}},
    {"embed", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
};

/* groups of adam8bit */
static const char *const patterns_30_0[] = {"none", "layers.{i}.*"};
static const char *const patterns_30_1[] = {"*.w"};
static const char *const patterns_30_2[] = {"head.*"};
static const struct verify_optimizer_group groups_30[] = {
    {patterns_30_0, 2,
     {.lr = 0.01, .beta1 = 0.7, .beta2 = 0.6, .eps = 0.001, .weight_decay = 0.3, .momentum = 0.0, .nesterov = false, .amsgrad = false, .block = 3, .from = 1}},
    {patterns_30_1, 1,
     {.lr = 0.01, .beta1 = 0.7, .beta2 = 0.6, .eps = 0.001, .weight_decay = 0.3, .momentum = 0.0, .nesterov = false, .amsgrad = false, .block = 2, .from = 3}},
    {patterns_30_2, 1,
     {.lr = 0.01, .beta1 = 0.7, .beta2 = 0.6, .eps = 0.001, .weight_decay = 0.3, .momentum = 0.0, .nesterov = false, .amsgrad = false, .block = 256, .from = 6}},
};
static const struct answer answers_30[] = {
    {"layers.0.w", "", RESHARD_DTYPE_F32, 2, {3, 5}, LIKE, {0x7faa931122c80f58, 0x2e245e74fd8c5554, 0xf952864c4ba6f11e, 0x219cb6c1b2e942db}},
    {"layers.0.w", "exp_avg", RESHARD_DTYPE_U8, 2, {3, 5}, LIKE, {ABSENT, 0xe1dc54960bd856cc, 0xc1f0d564589156d9, 0x9942ffd6ef4b7442}},
    {"layers.0.w", "exp_avg_sq", RESHARD_DTYPE_U8, 2, {3, 5}, LIKE, {ABSENT, 0x09e2f19492158854, 0x48c0c5f00fef4640, 0x73ba2f6fe98652c3}},
    {"layers.0.w", "exp_avg_absmax", RESHARD_DTYPE_F32, 1, {5}, BLOCKS(3), {ABSENT, 0xcecb9a618482fe2f, 0x2889521c4445e76a, 0x46d7321f53c0382c}},
    {"layers.0.w", "exp_avg_sq_absmax", RESHARD_DTYPE_F32, 1, {5}, BLOCKS(3), {ABSENT, 0x8df4606bac33e4b1, 0xd75eedc72fb625bb, 0x8192ed4378b2778b}},
    {"layers.0.w", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
    {"layers.1.w", "", RESHARD_DTYPE_F64, 2, {4, 2}, LIKE, {0xefda9cf8c38a1495, 0x0010a984a1d89b2f, 0xe9d1e2a5bcd0a2e6, 0xbea6530779d1f256}},
    {"layers.1.w", "exp_avg", RESHARD_DTYPE_U8, 2, {4, 2}, LIKE, {ABSENT, 0xc0e61e97b1dc267c, 0x2d7287dd3995c91e, 0x41b4089d1da13e22}},
    {"layers.1.w", "exp_avg_sq", RESHARD_DTYPE_U8, 2, {4, 2}, LIKE, {ABSENT, 0xccd865166e47105b, 0xb1448f9218cf8aa7, 0x2974afabbf1ba124}},
    {"layers.1.w", "exp_avg_absmax", RESHARD_DTYPE_F32, 1, {3}, BLOCKS(3), {ABSENT, 0x7f66b1f4e0a093b1, 0x38e31fd56fcf393a, 0xeba37b7cbe201e19}},
    {"layers.1.w", "exp_avg_sq_absmax", RESHARD_DTYPE_F32, 1, {3}, BLOCKS(3), {ABSENT, 0x6322f3ae199c0ff0, 0x08cb1bf7ed91a193, 0xae99936fa2ae2ce3}},
    {"layers.1.w", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
    {"layers.x.w", "", RESHARD_DTYPE_F32, 1, {4}, LIKE, {0xef445b08eb2d5e61, 0xef445b08eb2d5e61, 0xef445b08eb2d5e61, 0x335f766f91218c5b}},
    {"layers.x.w", "exp_avg", RESHARD_DTYPE_U8, 1, {4}, LIKE, {ABSENT, ABSENT, ABSENT, 0xde2a727225b9dfa7}},
    {"layers.x.w", "exp_avg_sq", RESHARD_DTYPE_U8, 1, {4}, LIKE, {ABSENT, ABSENT, ABSENT, 0x55d46365e6545523}},
    {"layers.x.w", "exp_avg_absmax", RESHARD_DTYPE_F32, 1, {2}, BLOCKS(2), {ABSENT, ABSENT, ABSENT, 0x37214b94155ee6af}},
    {"layers.x.w", "exp_avg_sq_absmax", RESHARD_DTYPE_F32, 1, {2}, BLOCKS(2), {ABSENT, ABSENT, ABSENT, 0x1a0c6e6858bf0953}},
    {"layers.x.w", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, ABSENT, ABSENT, 0x1102428f497547d2}},
    {"head.w", "", RESHARD_DTYPE_BF16, 2, {2, 3}, LIKE, {0x204635a3369f8515, 0x204635a3369f8515, 0x204635a3369f8515, 0x264d5814749c95e8}},
    {"head.w", "exp_avg", RESHARD_DTYPE_U8, 2, {2, 3}, LIKE, {ABSENT, ABSENT, ABSENT, 0xfbdfadb902391179}},
    {"head.w", "exp_avg_sq", RESHARD_DTYPE_U8, 2, {2, 3}, LIKE, {ABSENT, ABSENT, ABSENT, 0xb3b5f5f0d92d306e}},
    {"head.w", "exp_avg_absmax", RESHARD_DTYPE_F32, 1, {3}, BLOCKS(2), {ABSENT, ABSENT, ABSENT, 0x187d76aa03523d27}},
    {"head.w", "exp_avg_sq_absmax", RESHARD_DTYPE_F32, 1, {3}, BLOCKS(2), {ABSENT, ABSENT, ABSENT, 0xe472d23d64a69b61}},
    {"head.w", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, ABSENT, ABSENT, 0x1102428f497547d2}},
    {"head.b", "", RESHARD_DTYPE_F32, 1, {6}, LIKE, {0xe1b37b7c6abca4c3, 0xe1b37b7c6abca4c3, 0xe1b37b7c6abca4c3, 0xe1b37b7c6abca4c3}},
    {"head.b", "exp_avg", RESHARD_DTYPE_U8, 1, {6}, LIKE, {ABSENT, ABSENT, ABSENT, ABSENT}},
    {"head.b", "exp_avg_sq", RESHARD_DTYPE_U8, 1, {6}, LIKE, {ABSENT, ABSENT, ABSENT, ABSENT}},
    {"head.b", "exp_avg_absmax", RESHARD_DTYPE_F32, 1, {1}, BLOCKS(256), {ABSENT, ABSENT, ABSENT, ABSENT}},
    {"head.b", "exp_avg_sq_absmax", RESHARD_DTYPE_F32, 1, {1}, BLOCKS(256), {ABSENT, ABSENT, ABSENT, ABSENT}},
    {"head.b", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, ABSENT, ABSENT, ABSENT}},
    {"embed", "", RESHARD_DTYPE_F32, 2, {2, 2}, LIKE, {0xd9758c9daae66b20, 0xd7b37b7eabfb4450, 0xecfa03ff91e962b8, 0x6bc1f264c97afe59}},
    {"embed", "exp_avg", RESHARD_DTYPE_U8, 2, {2, 2}, LIKE, {ABSENT, 0x880f9a81af2e2b98, 0x4ddc37c252f0ef9a, 0xf47e9f838a86450b}},
    {"embed", "exp_avg_sq", RESHARD_DTYPE_U8, 2, {2, 2}, LIKE, {ABSENT, 0x57a1667cd1778f9b, 0x4c268e62d2bc5f28, 0x912d61c600e361e8}},
    {"embed", "exp_avg_absmax", RESHARD_DTYPE_F32, 1, {1}, BLOCKS(256), {ABSENT, 0x074c5e6328f1eec4, 0x5fd988aa0b4725ae, 0x82b1d769553de15c}},
    {"embed", "exp_avg_sq_absmax", RESHARD_DTYPE_F32, 1, {1}, BLOCKS(256), {ABSENT, 0x9630772d10680433, 0xeaada4eca2f0ef7e, 0x532770743ce52fdc}},
    {"embed", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, 0x29292ad3906c8804, 0x9013adfff5d818ea, 0x40602b8d7dda1783}},
};

/* groups of muon */
static const char *const patterns_31_0[] = {"none", "layers.{i}.*"};
static const char *const patterns_31_1[] = {"*.w"};
static const char *const patterns_31_2[] = {"head.*"};
static const struct verify_optimizer_group groups_31[] = {
    {patterns_31_0, 2,
     {.lr = 0.1, .beta1 = 0.7, .beta2 = 0.6, .eps = 0.001, .weight_decay = 0.3, .momentum = 0.8, .nesterov = true, .amsgrad = true, .block = 256, .from = 1}},
    {patterns_31_1, 1,
     {.lr = 0.01, .beta1 = 0.7, .beta2 = 0.6, .eps = 0.001, .weight_decay = 0.3, .momentum = 0.5, .nesterov = true, .amsgrad = true, .block = 256, .from = 3}},
    {patterns_31_2, 1,
     {.lr = 0.01, .beta1 = 0.7, .beta2 = 0.6, .eps = 0.001, .weight_decay = 0.3, .momentum = 0.8, .nesterov = false, .amsgrad = true, .block = 256, .from = 2}},
};
static const struct answer answers_31[] = {
    {"layers.0.w", "", RESHARD_DTYPE_F32, 2, {3, 5}, LIKE, {0x7faa931122c80f58, 0xa29e7ba067522a60, 0x4a463ea3efa29fe1, 0xc0b0af31abe118ad}},
    {"layers.0.w", "momentum_buffer", RESHARD_DTYPE_BF16, 2, {3, 5}, LIKE, {ABSENT, 0xc9e04b47c050ff5f, 0xc27e97d34133b457, 0x897ce2b02aebb8b4}},
    {"layers.1.w", "", RESHARD_DTYPE_F64, 2, {4, 2}, LIKE, {0xefda9cf8c38a1495, 0x3031a72ee786f72d, 0xaebcbd718a7b4ebe, 0x93449ddded54cb69}},
    {"layers.1.w", "momentum_buffer", RESHARD_DTYPE_BF16, 2, {4, 2}, LIKE, {ABSENT, 0x3bf56ddfe374dcc2, 0x6114c2f236aab28b, 0x2367fc614a62cad7}},
    {"layers.x.w", "", RESHARD_DTYPE_F32, 1, {4}, LIKE, {0xef445b08eb2d5e61, 0xef445b08eb2d5e61, 0xef445b08eb2d5e61, 0x401cfad629c749ed}},
    {"layers.x.w", "exp_avg", RESHARD_DTYPE_BF16, 1, {4}, LIKE, {ABSENT, ABSENT, ABSENT, 0xfbd5d88a7a54c386}},
    {"layers.x.w", "exp_avg_sq", RESHARD_DTYPE_BF16, 1, {4}, LIKE, {ABSENT, ABSENT, ABSENT, 0xcd74f3d30830ec7c}},
    {"layers.x.w", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, ABSENT, ABSENT, 0x1102428f497547d2}},
    {"head.w", "", RESHARD_DTYPE_BF16, 2, {2, 3}, LIKE, {0x204635a3369f8515, 0x204635a3369f8515, 0x204635a3369f8515, 0x31aaac2959995dfb}},
    {"head.w", "momentum_buffer", RESHARD_DTYPE_BF16, 2, {2, 3}, LIKE, {ABSENT, ABSENT, ABSENT, 0x2f6b1e73eb9f14d2}},
    {"head.b", "", RESHARD_DTYPE_F32, 1, {6}, LIKE, {0xe1b37b7c6abca4c3, 0xe1b37b7c6abca4c3, 0xc8d5a6e318a714a1, 0x859786788445931d}},
    {"head.b", "exp_avg", RESHARD_DTYPE_BF16, 1, {6}, LIKE, {ABSENT, ABSENT, 0x38a7bfc55095817f, 0x037d5216f6841f56}},
    {"head.b", "exp_avg_sq", RESHARD_DTYPE_BF16, 1, {6}, LIKE, {ABSENT, ABSENT, 0xe38073f59a21c69f, 0x637a6f560edd1951}},
    {"head.b", "step", RESHARD_DTYPE_F32, 0, {0}, WHOLE, {ABSENT, ABSENT, 0x29292ad3906c8804, 0x00e8dc35238cb81f}},
    {"embed", "", RESHARD_DTYPE_F32, 2, {2, 2}, LIKE, {0xd9758c9daae66b20, 0xfa9ee88de7661da7, 0x14b9e6410e06fcd7, 0x4fa310c9c9fb1917}},
    {"embed", "momentum_buffer", RESHARD_DTYPE_BF16, 2, {2, 2}, LIKE, {ABSENT, 0x6169447d618c4ed7, 0x4d712915f296c420, 0x297bd15ec4347d7d}},
};

static const struct answers cases[] = {
    {"no optimizer", 42, {VERIFY_OPTIMIZER_NONE, RESHARD_DTYPE_F32,
      {.lr = 0.001, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-08, .weight_decay = 0.0, .momentum = 0.0, .nesterov = false, .amsgrad = false, .block = 256, .from = 1}, NULL, 0},
     answers_0, sizeof answers_0 / sizeof answers_0[0]},
    {"sgd", 42, {VERIFY_SGD, RESHARD_DTYPE_F32,
      {.lr = 0.05, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-08, .weight_decay = 0.3, .momentum = 0.0, .nesterov = false, .amsgrad = false, .block = 256, .from = 1}, NULL, 0},
     answers_1, sizeof answers_1 / sizeof answers_1[0]},
    {"sgd with momentum", 42, {VERIFY_SGD, RESHARD_DTYPE_F32,
      {.lr = 0.05, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-08, .weight_decay = 0.3, .momentum = 0.8, .nesterov = false, .amsgrad = false, .block = 256, .from = 1}, NULL, 0},
     answers_2, sizeof answers_2 / sizeof answers_2[0]},
    {"sgd with momentum, f64", 42, {VERIFY_SGD, RESHARD_DTYPE_F64,
      {.lr = 0.05, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-08, .weight_decay = 0.3, .momentum = 0.8, .nesterov = false, .amsgrad = false, .block = 256, .from = 1}, NULL, 0},
     answers_3, sizeof answers_3 / sizeof answers_3[0]},
    {"sgd with Nesterov's momentum", 42, {VERIFY_SGD, RESHARD_DTYPE_BF16,
      {.lr = 0.05, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-08, .weight_decay = 0.3, .momentum = 0.8, .nesterov = true, .amsgrad = false, .block = 256, .from = 1}, NULL, 0},
     answers_4, sizeof answers_4 / sizeof answers_4[0]},
    {"adam", 42, {VERIFY_ADAM, RESHARD_DTYPE_F32,
      {.lr = 0.01, .beta1 = 0.7, .beta2 = 0.6, .eps = 0.001, .weight_decay = 0.3, .momentum = 0.0, .nesterov = false, .amsgrad = false, .block = 256, .from = 1}, NULL, 0},
     answers_5, sizeof answers_5 / sizeof answers_5[0]},
    {"adam, amsgrad, f64", 42, {VERIFY_ADAM, RESHARD_DTYPE_F64,
      {.lr = 0.01, .beta1 = 0.7, .beta2 = 0.6, .eps = 0.001, .weight_decay = 0.3, .momentum = 0.0, .nesterov = false, .amsgrad = true, .block = 256, .from = 1}, NULL, 0},
     answers_6, sizeof answers_6 / sizeof answers_6[0]},
    {"adamw", 42, {VERIFY_ADAMW, RESHARD_DTYPE_F32,
      {.lr = 0.01, .beta1 = 0.7, .beta2 = 0.6, .eps = 0.001, .weight_decay = 0.3, .momentum = 0.0, .nesterov = false, .amsgrad = false, .block = 256, .from = 1}, NULL, 0},
     answers_7, sizeof answers_7 / sizeof answers_7[0]},
    {"adamw, f64", 42, {VERIFY_ADAMW, RESHARD_DTYPE_F64,
      {.lr = 0.01, .beta1 = 0.7, .beta2 = 0.6, .eps = 0.001, .weight_decay = 0.3, .momentum = 0.0, .nesterov = false, .amsgrad = false, .block = 256, .from = 1}, NULL, 0},
     answers_8, sizeof answers_8 / sizeof answers_8[0]},
    {"adamw, f16", 42, {VERIFY_ADAMW, RESHARD_DTYPE_F16,
      {.lr = 0.01, .beta1 = 0.7, .beta2 = 0.6, .eps = 0.001, .weight_decay = 0.3, .momentum = 0.0, .nesterov = false, .amsgrad = false, .block = 256, .from = 1}, NULL, 0},
     answers_9, sizeof answers_9 / sizeof answers_9[0]},
    {"adamw, amsgrad, bf16", 42, {VERIFY_ADAMW, RESHARD_DTYPE_BF16,
      {.lr = 0.01, .beta1 = 0.7, .beta2 = 0.6, .eps = 0.001, .weight_decay = 0.3, .momentum = 0.0, .nesterov = false, .amsgrad = true, .block = 256, .from = 1}, NULL, 0},
     answers_10, sizeof answers_10 / sizeof answers_10[0]},
    {"adafactor", 42, {VERIFY_ADAFACTOR, RESHARD_DTYPE_F32,
      {.lr = 0.46, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-08, .weight_decay = 0.3, .momentum = 0.0, .nesterov = false, .amsgrad = false, .block = 256, .from = 1}, NULL, 0},
     answers_11, sizeof answers_11 / sizeof answers_11[0]},
    {"adafactor, f64", 42, {VERIFY_ADAFACTOR, RESHARD_DTYPE_F64,
      {.lr = 0.46, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-08, .weight_decay = 0.3, .momentum = 0.0, .nesterov = false, .amsgrad = false, .block = 256, .from = 1}, NULL, 0},
     answers_12, sizeof answers_12 / sizeof answers_12[0]},
    {"adafactor, bf16", 42, {VERIFY_ADAFACTOR, RESHARD_DTYPE_BF16,
      {.lr = 0.02, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-08, .weight_decay = 0.0, .momentum = 0.0, .nesterov = false, .amsgrad = false, .block = 256, .from = 1}, NULL, 0},
     answers_13, sizeof answers_13 / sizeof answers_13[0]},
    {"adafactor, a variance of nearly 0", 43287702, {VERIFY_ADAFACTOR, RESHARD_DTYPE_F64,
      {.lr = 0.46, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-08, .weight_decay = 0.3, .momentum = 0.0, .nesterov = false, .amsgrad = false, .block = 256, .from = 1}, NULL, 0},
     answers_14, sizeof answers_14 / sizeof answers_14[0]},
    {"adafactor, a matrix of nearly 0", 1475, {VERIFY_ADAFACTOR, RESHARD_DTYPE_F64,
      {.lr = 0.46, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-08, .weight_decay = 0.3, .momentum = 0.0, .nesterov = false, .amsgrad = false, .block = 256, .from = 1}, NULL, 0},
     answers_15, sizeof answers_15 / sizeof answers_15[0]},
    {"adafactor, a parameter of nearly 0", 144, {VERIFY_ADAFACTOR, RESHARD_DTYPE_F64,
      {.lr = 0.46, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-08, .weight_decay = 0.3, .momentum = 0.0, .nesterov = false, .amsgrad = false, .block = 256, .from = 1}, NULL, 0},
     answers_16, sizeof answers_16 / sizeof answers_16[0]},
    {"adam8bit", 42, {VERIFY_ADAM8BIT, RESHARD_DTYPE_F32,
      {.lr = 0.01, .beta1 = 0.7, .beta2 = 0.6, .eps = 0.001, .weight_decay = 0.3, .momentum = 0.0, .nesterov = false, .amsgrad = false, .block = 4, .from = 1}, NULL, 0},
     answers_17, sizeof answers_17 / sizeof answers_17[0]},
    {"adam8bit, a block that is not full", 42, {VERIFY_ADAM8BIT, RESHARD_DTYPE_F32,
      {.lr = 0.01, .beta1 = 0.7, .beta2 = 0.6, .eps = 0.001, .weight_decay = 0.3, .momentum = 0.0, .nesterov = false, .amsgrad = false, .block = 256, .from = 1}, NULL, 0},
     answers_18, sizeof answers_18 / sizeof answers_18[0]},
    {"adam8bit, blocks of 1", 42, {VERIFY_ADAM8BIT, RESHARD_DTYPE_F32,
      {.lr = 0.01, .beta1 = 0.7, .beta2 = 0.6, .eps = 0.001, .weight_decay = 0.3, .momentum = 0.0, .nesterov = false, .amsgrad = false, .block = 1, .from = 1}, NULL, 0},
     answers_19, sizeof answers_19 / sizeof answers_19[0]},
    {"adam8bit, a block of zeros", 1976807634, {VERIFY_ADAM8BIT, RESHARD_DTYPE_F32,
      {.lr = 0.01, .beta1 = 0.7, .beta2 = 0.6, .eps = 0.001, .weight_decay = 0.3, .momentum = 0.0, .nesterov = false, .amsgrad = false, .block = 1, .from = 1}, NULL, 0},
     answers_20, sizeof answers_20 / sizeof answers_20[0]},
    {"adam8bit, a tie", 656390804, {VERIFY_ADAM8BIT, RESHARD_DTYPE_F32,
      {.lr = 0.01, .beta1 = 0.5, .beta2 = 0.6, .eps = 0.001, .weight_decay = 0.3, .momentum = 0.0, .nesterov = false, .amsgrad = false, .block = 4, .from = 1}, NULL, 0},
     answers_21, sizeof answers_21 / sizeof answers_21[0]},
    {"adafactor, large", 42, {VERIFY_ADAFACTOR, RESHARD_DTYPE_F32,
      {.lr = 0.46, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-08, .weight_decay = 0.3, .momentum = 0.0, .nesterov = false, .amsgrad = false, .block = 256, .from = 1}, NULL, 0},
     answers_22, sizeof answers_22 / sizeof answers_22[0]},
    {"adam8bit, large", 42, {VERIFY_ADAM8BIT, RESHARD_DTYPE_F32,
      {.lr = 0.01, .beta1 = 0.7, .beta2 = 0.6, .eps = 0.001, .weight_decay = 0.3, .momentum = 0.0, .nesterov = false, .amsgrad = false, .block = 1030, .from = 1}, NULL, 0},
     answers_23, sizeof answers_23 / sizeof answers_23[0]},
    {"muon", 42, {VERIFY_MUON, RESHARD_DTYPE_F32,
      {.lr = 0.01, .beta1 = 0.7, .beta2 = 0.6, .eps = 0.001, .weight_decay = 0.3, .momentum = 0.8, .nesterov = true, .amsgrad = true, .block = 256, .from = 1}, NULL, 0},
     answers_24, sizeof answers_24 / sizeof answers_24[0]},
    {"muon, f64", 42, {VERIFY_MUON, RESHARD_DTYPE_F64,
      {.lr = 0.01, .beta1 = 0.7, .beta2 = 0.6, .eps = 0.001, .weight_decay = 0.3, .momentum = 0.8, .nesterov = false, .amsgrad = true, .block = 256, .from = 1}, NULL, 0},
     answers_25, sizeof answers_25 / sizeof answers_25[0]},
    {"muon, a gradient of 0", 1976807634, {VERIFY_MUON, RESHARD_DTYPE_BF16,
      {.lr = 0.01, .beta1 = 0.7, .beta2 = 0.6, .eps = 0.001, .weight_decay = 0.3, .momentum = 0.8, .nesterov = true, .amsgrad = true, .block = 256, .from = 1}, NULL, 0},
     answers_26, sizeof answers_26 / sizeof answers_26[0]},
    {"groups of sgd", 42, {VERIFY_SGD, RESHARD_DTYPE_F32,
      {.lr = 0.05, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-08, .weight_decay = 0.3, .momentum = 0.8, .nesterov = false, .amsgrad = false, .block = 256, .from = 1}, groups_27, 3},
     answers_27, sizeof answers_27 / sizeof answers_27[0]},
    {"groups of adam", 42, {VERIFY_ADAM, RESHARD_DTYPE_F32,
      {.lr = 0.01, .beta1 = 0.7, .beta2 = 0.6, .eps = 0.001, .weight_decay = 0.3, .momentum = 0.0, .nesterov = false, .amsgrad = false, .block = 256, .from = 1}, groups_28, 3},
     answers_28, sizeof answers_28 / sizeof answers_28[0]},
    {"groups of adafactor", 42, {VERIFY_ADAFACTOR, RESHARD_DTYPE_F32,
      {.lr = 0.46, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-08, .weight_decay = 0.3, .momentum = 0.0, .nesterov = false, .amsgrad = false, .block = 256, .from = 1}, groups_29, 3},
     answers_29, sizeof answers_29 / sizeof answers_29[0]},
    {"groups of adam8bit", 42, {VERIFY_ADAM8BIT, RESHARD_DTYPE_F32,
      {.lr = 0.01, .beta1 = 0.7, .beta2 = 0.6, .eps = 0.001, .weight_decay = 0.3, .momentum = 0.0, .nesterov = false, .amsgrad = false, .block = 256, .from = 1}, groups_30, 3},
     answers_30, sizeof answers_30 / sizeof answers_30[0]},
    {"groups of muon", 42, {VERIFY_MUON, RESHARD_DTYPE_BF16,
      {.lr = 0.01, .beta1 = 0.7, .beta2 = 0.6, .eps = 0.001, .weight_decay = 0.3, .momentum = 0.8, .nesterov = true, .amsgrad = true, .block = 256, .from = 1}, groups_31, 3},
     answers_31, sizeof answers_31 / sizeof answers_31[0]},
};

#endif
