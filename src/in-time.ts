/**
 * What a promise brings, if it does within `ms` milliseconds; else rejects with `late`. What was begun goes on, and how it
 * ends is then nobody's business.
 */
export async function inTime<T>(
  promise: Promise<T>,
  ms: number,
  late: () => Error = () => new Error(`no answer within ${ms / 1_000} s`),
): Promise<T> {
  const deadline = Promise.withResolvers<never>();
  const timer = setTimeout(() => deadline.reject(late()), ms);
  promise.catch(() => undefined);
  try {
    return await Promise.race([promise, deadline.promise]);
  } finally {
    clearTimeout(timer);
  }
}
