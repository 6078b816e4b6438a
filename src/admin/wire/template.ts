/**
 * The template that a body is. Orkes' clients send it as a JSON string; Orkes' Python SDK does, too, but takes the quotes
 * at both ends off (also a quote with which the template itself ends), and calls it `application/json` still. Whatever is
 * neither is the template as it stands.
 */
export function templateIn(body: string, contentType: string | undefined): string {
  const read = /^\s*"[\s\S]*"\s*$/.test(body) ? stringIn(body) : undefined;
  if (read !== undefined || contentType?.startsWith('application/json') !== true) return read ?? body;
  return stringIn(`"${body}"`) ?? stringIn(`"${body}""`) ?? body;
}

function stringIn(json: string): string | undefined {
  try {
    const read: unknown = JSON.parse(json);
    return typeof read === 'string' ? read : undefined;
  } catch {
    return undefined;
  }
}
