// How the demonstration writes.

export function heading(text: string): void {
  console.log(`\n== ${text}`);
}

/** `3.21 Gbit/s (1204 MB in 3.0 s)`; megabits below one gigabit. */
export function gigabits(bytes: number, ms: number): string {
  const perSecond = (bytes * 8) / (ms / 1000);
  const rate =
    perSecond >= 1e9 ? `${(perSecond / 1e9).toFixed(2)} Gbit/s` : `${(perSecond / 1e6).toFixed(1)} Mbit/s`;
  return `${rate} (${(bytes / 1e6).toFixed(1)} MB in ${(ms / 1000).toFixed(1)} s)`;
}
