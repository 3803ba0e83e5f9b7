/** Whether a text can be an e-mail address. Only sending to it shows whether it is one. */
export const isEmailAddress = (text: string): boolean => /^[^\s@,;]+@[^\s@,;]+\.[^\s@,;]+$/.test(text)
