// What is loaded with the first rule of a schema: a start need not wait for it (late.ts).
export { validateRuleExpressions } from './check-rules.ts'
export { ruledSchema, runRules, runRulesNow, type RuledSchema } from './run-rules.ts'
