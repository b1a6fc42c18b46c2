// What is loaded with the first rule of a schema: a start need not wait for it (late.ts).
export { compileExpression, isBadExpression } from '@shiplog/cel/expression'
export { validateRuleExpressions } from './check-rules.ts'
export { ruledSchema, runRules, type RuledSchema } from './run-rules.ts'
