// Real kubectl against a cluster whose Services and pods have addresses of both families.
import { describe } from 'vitest'
import { dualStackCases } from './cases/dual-stack.ts'
import { benchForTests, declareCases } from './src/suite.ts'

const ranges = ['--service-cidr', '10.96.0.0/16,fd00:10:96::/112', '--pod-cidr', '10.244.0.0/16,fd00:10:244::/56']

describe('kubectl against a cluster of two families', () => {
  declareCases(dualStackCases, benchForTests('embedded', ranges))
})
