import { conformanceSuite } from './src/suite.ts'

conformanceSuite('embedded')
