/** The names of a stage's functions. They are explicit: CloudFormation truncates generated names, and a metric search misses those. */
export const functionName = (stage: string, name: string): string => `octomil-${stage}-${name.replace('/', '-')}`
