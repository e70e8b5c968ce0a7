/* Every code point and every short sequence of bytes through drey_text.c. Prints what is wrong, and how much was tried. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drey_shim.h"

static int failures;
static long tried;

#define CHECK(condition, ...)                       \
    do {                                            \
        if (!(condition) && failures++ < 10) {      \
            printf(__VA_ARGS__);                    \
            putchar('\n');                          \
        }                                           \
    } while (0)

/* UTF-8 by the definition: value, length, and neither overlong, nor a surrogate, nor beyond the last code point. */
static size_t encode(uint8_t *to, uint32_t c) {
    if (c < 0x80) return to[0] = (uint8_t)c, 1;
    if (c < 0x800) return to[0] = (uint8_t)(0xc0 + c / 64), to[1] = (uint8_t)(0x80 + c % 64), 2;
    if (c < 0x10000) {
        to[0] = (uint8_t)(0xe0 + c / 4096), to[1] = (uint8_t)(0x80 + c / 64 % 64), to[2] = (uint8_t)(0x80 + c % 64);
        return 3;
    }
    to[0] = (uint8_t)(0xf0 + c / 262144), to[1] = (uint8_t)(0x80 + c / 4096 % 64);
    to[2] = (uint8_t)(0x80 + c / 64 % 64), to[3] = (uint8_t)(0x80 + c % 64);
    return 4;
}

static size_t encode16(uint16_t *to, uint32_t c) {
    if (c < 0x10000) return to[0] = (uint16_t)c, 1;
    return to[0] = (uint16_t)(0xd800 + (c - 0x10000) / 1024), to[1] = (uint16_t)(0xdc00 + (c - 0x10000) % 1024), 2;
}

/* Each code point at each distance from the blocks in which ASCII is converted. */
static void code_points(void) {
    for (uint32_t c = 0; c < 0x110000; c++) {
        if (c >= 0xd800 && c < 0xe000) continue;
        size_t before = c % 11, after = c % 7, bad = 0;
        uint8_t utf8[64], got8[128];
        uint16_t utf16[64], got16[64];
        size_t n8 = 0, n16 = 0;
        for (size_t i = 0; i < before; i++) utf8[n8++] = 'a', utf16[n16++] = 'a';
        n8 += encode(utf8 + n8, c);
        n16 += encode16(utf16 + n16, c);
        for (size_t i = 0; i < after; i++) utf8[n8++] = 'z', utf16[n16++] = 'z';
        size_t got = utf8_from_utf16(got8, utf16, n16);
        CHECK(got == n8 && memcmp(got8, utf8, n8) == 0, "U+%04X to UTF-8", c);
        int64_t units = utf16_from_utf8(got16, utf8, n8, &bad);
        CHECK(units == (int64_t)n16 && memcmp(got16, utf16, 2 * n16) == 0, "U+%04X to UTF-16", c);
        tried++;
    }
}

/* Every sequence of up to three bytes, and of four that start like one: valid if and only if some code point is it. */
static int is_valid(const uint8_t *p, size_t n) {
    for (size_t i = 0; i < n;) {
        size_t length = p[i] < 0x80 ? 1 : p[i] < 0xe0 ? 2 : p[i] < 0xf0 ? 3 : 4;
        uint8_t again[4];
        uint32_t c = length == 1 ? p[i] : length == 2 ? p[i] & 0x1f : length == 3 ? p[i] & 0x0f : p[i] & 0x07;
        if (i + length > n) return 0;
        for (size_t k = 1; k < length; k++) c = c * 64 + (p[i + k] & 0x3f);
        if (c >= 0x110000 || (c >= 0xd800 && c < 0xe000) || encode(again, c) != length || memcmp(again, p + i, length)) return 0;
        i += length;
    }
    return 1;
}

static void sequence(const uint8_t *p, size_t n) {
    /* Exactly as large as it is, so that a byte too far is found by the sanitizer. */
    uint8_t *in = malloc(n);
    uint16_t *out = malloc(2 * n);
    size_t bad = n;
    memcpy(in, p, n);
    int64_t units = utf16_from_utf8(out, in, n, &bad);
    CHECK((units >= 0) == is_valid(p, n), "%02x %02x %02x %02x (%zu bytes)", p[0], p[1], p[2], p[3], n);
    CHECK(units >= 0 || bad < n, "where it is bad");
    free(in);
    free(out);
    tried++;
}

static void sequences(void) {
    uint8_t p[4] = {0};
    for (int a = 0; a < 256; a++) {
        p[0] = (uint8_t)a;
        sequence(p, 1);
        for (int b = 0; b < 256; b++) {
            p[1] = (uint8_t)b;
            sequence(p, 2);
            for (int c = 0x60; c < 256; c += a < 0xe0 ? 32 : 1) {
                p[2] = (uint8_t)c;
                sequence(p, 3);
                for (int d = 0x7e; a >= 0xf0 && c >= 0x7e && d < 0xc2; d += 22) {
                    p[3] = (uint8_t)d;
                    sequence(p, 4);
                }
            }
        }
    }
}

/* Every pair of units around the surrogates: what is half a pair becomes U+FFFD, and nothing else does. */
static void surrogates(void) {
    static const uint16_t units[] = {'a', 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xd800, 0xdbff, 0xdc00, 0xdfff, 0xe000, 0xffff};
    const size_t n = sizeof units / sizeof units[0];
    for (size_t i = 0; i < n * n * n; i++) {
        uint16_t in[3] = {units[i % n], units[i / n % n], units[i / n / n]};
        uint8_t want[9], got[9];
        size_t length = 0;
        for (size_t k = 0; k < 3; k++) {
            uint32_t c = in[k];
            if (c >= 0xd800 && c < 0xdc00 && k < 2 && in[k + 1] >= 0xdc00 && in[k + 1] < 0xe000) {
                c = 0x10000 + (c - 0xd800) * 1024 + (in[++k] - 0xdc00u);
            } else if (c >= 0xd800 && c < 0xe000) {
                c = 0xfffd;
            }
            length += encode(want + length, c);
        }
        CHECK(utf8_from_utf16(got, in, 3) == length && memcmp(got, want, length) == 0, "%04x %04x %04x", in[0], in[1], in[2]);
        tried++;
    }
}

int main(void) {
    code_points();
    sequences();
    surrogates();
    printf("%ld tried, %d wrong\n", tried, failures);
    return failures != 0 || tried < 2000000;
}
