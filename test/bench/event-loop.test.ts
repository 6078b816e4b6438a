import { describe, expect, it } from 'vitest';
import { apartFrom, loopFigures, type Turn, watchEventLoop } from '../../bench/support/event-loop.ts';

const turn = (from: number, ms: number, cpuMs = ms): Turn => ({ from, ms, cpuMs });

describe('turns of an event loop', () => {
  it('are left out where a pause falls into them, by any part of it', () => {
    const turns = [turn(0, 10), turn(10, 5), turn(20, 5), turn(30, 5), turn(40, 5)];
    const pauses = [
      { from: 8, ms: 4 },
      { from: 31, ms: 1 },
      { from: 45, ms: 1 },
    ];
    expect(apartFrom(turns, pauses).map(({ from }) => from)).toEqual([20, 40]);
    expect(apartFrom(turns, [])).toEqual(turns);
  });

  it('are waited for by whatever comes up in them, each millisecond', () => {
    // One wait of each length from 1 to 10 ms in ten seconds: the ten longest of ten thousand are a thousandth.
    expect(loopFigures([turn(0, 10), turn(20, 3, 1)], 10_000)).toEqual({
      longestMs: 10,
      longestCpuMs: 10,
      p999Ms: 2,
      p999CpuMs: 1,
    });
    expect(loopFigures([turn(0, 10)], 1_000)).toMatchObject({ longestMs: 10, p999Ms: 9 });
    expect(loopFigures([], 1_000)).toEqual({ longestMs: 0, longestCpuMs: 0, p999Ms: 0, p999CpuMs: 0 });
  });

  it('are seen with what this thread ran in them', async () => {
    const watch = watchEventLoop();
    await new Promise((resolve) => setImmediate(resolve));
    const begun = process.threadCpuUsage().user;
    while (process.threadCpuUsage().user - begun < 30_000);
    await new Promise((resolve) => setImmediate(resolve));
    const { all } = await watch.stop();
    expect(all.longestCpuMs).toBeGreaterThanOrEqual(30);
    expect(all.longestMs).toBeGreaterThanOrEqual(29);
  });
});
