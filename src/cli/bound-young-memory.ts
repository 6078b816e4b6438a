import { setFlagsFromString } from 'node:v8';

/**
 * V8 lets the space for new objects grow while much of it survives a collection, as hundreds of tasks that wait for models
 * do: resident memory then doubles (docs/performance.md, memory). From here on it stays as it is. V8 reads the flag whenever
 * that space would grow, so that it may be set while the process runs; before the rest is loaded, which lets it grow, too.
 */
export function boundYoungMemory(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}
