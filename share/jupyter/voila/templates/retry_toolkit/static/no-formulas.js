// Stands where Voilà loads MathJax from another host: a task's error text is never set as a formula.
window.MathJax = {
  Hub: { Config() {}, Configured() {}, Queue() {}, Register: { StartupHook() {} } },
};
