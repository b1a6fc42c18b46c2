// All scenarios.
import type { Scenario } from './scenario.ts'
import { aroundScenarios } from './scenarios/around.ts'
import { jobScenarios } from './scenarios/jobs.ts'
import { replicaScenarios } from './scenarios/replicas.ts'
import { setScenarios } from './scenarios/sets.ts'

export const scenarios: readonly Scenario[] = [...replicaScenarios, ...setScenarios, ...jobScenarios, ...aroundScenarios]
