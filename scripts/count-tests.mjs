// Prints `N passed, N failed` as its last line, and before it `N skipped` where some were, from vitest's JSON report: `node scripts/count-tests.mjs FILE`.
// Exit code 1 where anything failed or nothing ran. A file that could not even be loaded counts as one failure.
import { readFileSync } from 'node:fs';

const report = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const neverRan = report.testResults.filter(
  ({ status, assertionResults }) => status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
).length;
const passed = report.numPassedTests;
const failed = report.numFailedTests + neverRan;
const skipped = report.numPendingTests + report.numTodoTests;

if (skipped > 0) process.stdout.write(`${skipped} skipped\n`);
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
