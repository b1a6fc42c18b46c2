// The server indents its JSON for browsers, because a person may read it: twice the bytes, and this page reads it for them.

/** The same path of the API, answered without indentation. */
export const unindented = (path: string): string =>
  /^\/(at\/[^/]+\/)?apis?(\/|\?|$)/.test(path) ? `${path}${path.includes('?') ? '&' : '?'}pretty=false` : path
