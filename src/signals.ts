/** The first signal to end; `onSecond` is called for every further one. */
export function firstSignal(onSecond: () => void): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let heard = false;
    for (const name of ['SIGTERM', 'SIGINT'] as const) {
      process.on(name, () => {
        if (heard) return onSecond();
        heard = true;
        resolve(name);
      });
    }
  });
}
