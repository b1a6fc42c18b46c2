// What one of several replicas of a component is called.

const lengthMax = 40

/** A DNS label made of any text: `Node 7.example` becomes `node-7-example`. */
export const replicaName = (text: string): string =>
  text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, lengthMax)
    .replace(/^-+|-+$/g, '') || 'replica'
