// How a part of a file is compiled for one kind of processor: between GCM_BEGIN("features") and GCM_END.
// Standard headers come before it, for their inline functions may be shared with code that runs everywhere.
#pragma once

#define GCM_INLINE inline __attribute__((always_inline))
/** One function would be too much for compilers. */
#define GCM_APART __attribute__((noinline))
#define GCM_ALWAYS __attribute__((always_inline))
#define GCM_PRAGMA(text) _Pragma(#text)
#if defined(__clang__)
#define GCM_BEGIN(features) \
  GCM_PRAGMA(clang attribute push(__attribute__((target(features))), apply_to = function))
#define GCM_END _Pragma("clang attribute pop")
#else
#define GCM_BEGIN(features) _Pragma("GCC push_options") GCM_PRAGMA(GCC target(features))
#define GCM_END _Pragma("GCC pop_options")
#endif
