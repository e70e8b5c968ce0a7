/*
 * UTF-16, which Java's strings are, and UTF-8, which Go's are. JNI's own conversion is to a UTF-8 of its own making (zero
 * as two bytes, pairs as six) and ten times slower.
 */
#include <string.h>

#include "drey_shim.h"

/*
 * Writes n units of UTF-16 as UTF-8 and returns its length, at most 3 n. A surrogate without its other half, which UTF-8
 * cannot have, becomes U+FFFD; Java's own conversion writes '?'.
 */
size_t utf8_from_utf16(uint8_t *to, const uint16_t *from, size_t n) {
    uint8_t *start = to;
    size_t i = 0;
    while (i < n) {
        /* Four ASCII characters at a time: most of JSON is that. */
        while (i + 4 <= n) {
            uint64_t four;
            memcpy(&four, from + i, 8);
            if (four & 0xff80ff80ff80ff80u) break;
            to[0] = (uint8_t)from[i];
            to[1] = (uint8_t)from[i + 1];
            to[2] = (uint8_t)from[i + 2];
            to[3] = (uint8_t)from[i + 3];
            to += 4;
            i += 4;
        }
        if (i == n) break;
        uint32_t c = from[i++];
        if (c < 0x80) {
            *to++ = (uint8_t)c;
            continue;
        }
        if (c < 0x800) {
            *to++ = (uint8_t)(0xc0 | c >> 6);
            *to++ = (uint8_t)(0x80 | (c & 0x3f));
            continue;
        }
        if (c >= 0xd800 && c < 0xe000) {
            if (c < 0xdc00 && i < n && from[i] >= 0xdc00 && from[i] < 0xe000) {
                c = 0x10000 + ((c - 0xd800) << 10) + (from[i++] - 0xdc00u);
                *to++ = (uint8_t)(0xf0 | c >> 18);
                *to++ = (uint8_t)(0x80 | (c >> 12 & 0x3f));
                *to++ = (uint8_t)(0x80 | (c >> 6 & 0x3f));
                *to++ = (uint8_t)(0x80 | (c & 0x3f));
                continue;
            }
            c = 0xfffd;
        }
        *to++ = (uint8_t)(0xe0 | c >> 12);
        *to++ = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        *to++ = (uint8_t)(0x80 | (c & 0x3f));
    }
    return (size_t)(to - start);
}

/* Length in bytes of the UTF-8 sequence at from, of which n bytes are there; 0 if it is none (RFC 3629, section 4). */
static size_t sequence(const uint8_t *from, size_t n) {
    uint8_t a = from[0], low = 0x80, high = 0xbf;
    size_t length;
    if (a < 0x80) return 1;
    if (a < 0xc2 || a > 0xf4) return 0;
    length = a < 0xe0 ? 2 : a < 0xf0 ? 3 : 4;
    if (length > n) return 0;
    if (a == 0xe0) low = 0xa0;
    if (a == 0xed) high = 0x9f;
    if (a == 0xf0) low = 0x90;
    if (a == 0xf4) high = 0x8f;
    if (from[1] < low || from[1] > high) return 0;
    for (size_t i = 2; i < length; i++) {
        if ((from[i] & 0xc0) != 0x80) return 0;
    }
    return length;
}

/*
 * Writes n bytes of UTF-8 as UTF-16 and returns its length in units, at most n. Bytes that are no UTF-8 are an error: -1,
 * and where they are in bad.
 */
int64_t utf16_from_utf8(uint16_t *to, const uint8_t *from, size_t n, size_t *bad) {
    uint16_t *start = to;
    size_t i = 0;
    while (i < n) {
        while (i + 8 <= n) {
            uint64_t eight;
            memcpy(&eight, from + i, 8);
            if (eight & 0x8080808080808080u) break;
            for (size_t k = 0; k < 8; k++) to[k] = from[i + k];
            to += 8;
            i += 8;
        }
        if (i == n) break;
        const uint8_t *p = from + i;
        size_t length = sequence(p, n - i);
        uint32_t c;
        switch (length) {
        case 1:
            *to++ = p[0];
            break;
        case 2:
            *to++ = (uint16_t)((p[0] & 0x1f) << 6 | (p[1] & 0x3f));
            break;
        case 3:
            *to++ = (uint16_t)((p[0] & 0x0f) << 12 | (p[1] & 0x3f) << 6 | (p[2] & 0x3f));
            break;
        case 4:
            c = ((uint32_t)(p[0] & 0x07) << 18 | (uint32_t)(p[1] & 0x3f) << 12 | (uint32_t)(p[2] & 0x3f) << 6 |
                 (uint32_t)(p[3] & 0x3f)) - 0x10000;
            *to++ = (uint16_t)(0xd800 + (c >> 10));
            *to++ = (uint16_t)(0xdc00 + (c & 0x3ff));
            break;
        default:
            *bad = i;
            return -1;
        }
        i += length;
    }
    return to - start;
}
