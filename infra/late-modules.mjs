/** Modules of ours that are read late from their files: in a bundle they are there from the start. */
export const lateModules = {
  name: 'late-modules',
  load: (id) =>
    id.endsWith('/expressions/late.ts')
      ? { code: "import * as engine from './engine.ts'\nexport const expressions = () => engine\n", moduleType: 'ts' }
      : null,
}
