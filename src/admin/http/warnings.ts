import type { FastifyReply } from 'fastify';

/**
 * Warnings about what was done all the same, as headers (RFC 7234, 5.5: code 299): Orkes' clients read nothing but the status and
 * body of such an answer. What a header cannot hold, being no printable ASCII, is written as JSON would write it.
 */
export function tellWarnings(reply: FastifyReply, warnings: readonly string[]): void {
  if (warnings.length > 0) void reply.header('warning', warnings.map(warningText));
}

/** Of one: many clients take no more than 16 KB of headers in all. */
const WARNING_CHARACTERS = 400;

function warningText(text: string): string {
  const ascii = text.replaceAll(
    /[^ -~]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return `299 bedrock-cohere "${ascii.slice(0, WARNING_CHARACTERS).replaceAll(/["\\]/g, '\\$&')}"`;
}
