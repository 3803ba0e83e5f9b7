/** The names of a stage's functions. Explicit: CloudFormation cuts generated names, and a metric search misses what is cut. */
export const functionName = (stage: string, name: string): string => `octomil-${stage}-${name.replace('/', '-')}`
