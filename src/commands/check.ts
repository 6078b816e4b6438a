import type { Finding } from './check/finding.ts';
import { type Terminal, visible } from './terminal.ts';

/** Says what was found. 0: clean, 1: findings, 3: something did not answer. */
export function reportFindings(findings: readonly Finding[], terminal: Terminal): number {
  for (const { severity, key, field, message } of findings) {
    const place = field === '' ? key : `${key} ${field}`;
    terminal.say(
      `${severity === 'error' ? terminal.bad('error  ') : terminal.changed('warning')}  ${visible(`${place}: ${message}`)}`,
    );
  }
  const errors = findings.filter(({ severity }) => severity === 'error').length;
  terminal.say(
    findings.length === 0
      ? terminal.good('Nothing found.')
      : `\n${count(errors, 'error')}, ${count(findings.length - errors, 'warning')}.`,
  );
  terminal.result({
    findings: findings.map(({ severity, key, field, message }) => ({ severity, key, field, message })),
  });
  if (findings.some(({ unreachable }) => unreachable)) return 3;
  return findings.length === 0 ? 0 : 1;
}

function count(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? '' : 's'}`;
}
