// What the harness does inside a JupyterLab page; added to every page before its own scripts.
// `window.jupyterapp` is there because the server was started with expose_app_in_browser.
(() => {
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

  // what is done each so many milliseconds can be left out for a while
  const lengths = new Set();
  let leftOut = null;
  const begin = window.setInterval;
  window.setInterval = (run, ms, ...more) => {
    lengths.add(ms);
    return begin(
      (...given) => {
        if (leftOut !== ms) run(...given);
      },
      ms,
      ...more,
    );
  };

  // whether anything is done at this interval; null ends it
  function leaveOut(ms) {
    leftOut = ms;
    return lengths.has(ms);
  }

  async function until(what, check) {
    const end = Date.now() + 60_000;
    for (;;) {
      const value = check();
      if (value) return value;
      if (Date.now() > end) throw new Error(`waited a minute for ${what}`);
      await pause(25);
    }
  }

  const panel = () => window.jupyterapp.shell.currentWidget;
  const kernel = () => panel().sessionContext.session?.kernel;

  // a kernel started anew may say that it is idle before the page listens: asked, it says so again; and a connection
  // made while it was about to end may stay silent, as for a person, who then reconnects
  async function idle() {
    let [asked, connected] = [Date.now(), Date.now()];
    await until("an idle kernel", () => {
      if (kernel()?.status === "idle") return true;
      const silent = Date.now() - connected;
      if (silent > 20_000 && (kernel()?.status !== "busy" || silent > 40_000)) {
        connected = Date.now();
        Promise.resolve()
          .then(() => kernel()?.reconnect())
          .catch(() => {});
      } else if (Date.now() - asked > 2000) {
        asked = Date.now();
        kernel()
          ?.requestKernelInfo()
          .catch(() => {});
      }
      return false;
    });
  }

  // JupyterLab covers the page while it loads a theme, and throws if the next one comes before the cover is off
  async function splashGone() {
    await until("the end of the splash", () => !document.getElementById("jupyterlab-splash"));
  }

  // resolves when the notebook is shown and its kernel answers
  async function ready() {
    await until("window.jupyterapp", () => window.jupyterapp);
    await window.jupyterapp.restored;
    await until("the notebook", () => panel()?.sessionContext && panel().content?.widgets);
    await panel().context.ready;
    await panel().sessionContext.ready;
    await idle();
    await splashGone();
  }

  // opens the notebook if no tab has it
  async function turnTo(path) {
    await window.jupyterapp.commands.execute("docmanager:open", { path });
    await until(`the tab of ${path}`, () => panel()?.context?.path === path);
  }

  const documents = () => [...window.jupyterapp.shell.widgets("main")];

  // the launcher, which JupyterLab shows when nothing is open
  function closeOthers() {
    for (const other of documents()) if (other !== panel()) other.dispose();
  }

  // closes everything without asking and returns whether the page is then as it was when it was loaded
  async function clear(theme) {
    leftOut = null;
    delete document.hidden;
    for (const open of documents()) open.dispose();
    localStorage.clear();
    sessionStorage.clear();
    if (document.body.dataset.jpThemeName !== theme) await setTheme(theme);
    await pause(50); // errors of what was closed are reported before it answers
    return (
      !document.hidden &&
      !document.fullscreenElement &&
      !document.querySelector(".jp-Dialog, .lm-Menu, .clnb")
    );
  }

  // the error outputs among the given cells
  function errors(cells) {
    return cells.flatMap((cell) => {
      const outputs = cell.model.outputs?.toJSON() ?? [];
      const failed = outputs.filter((output) => output.output_type === "error");
      return failed.map((output) => ({
        cell: panel().content.widgets.indexOf(cell),
        text: output.traceback.join("\n") || `${output.ename}: ${output.evalue}`,
      }));
    });
  }

  async function runAll() {
    await window.jupyterapp.commands.execute("notebook:run-all-cells");
    return errors([...panel().content.widgets]);
  }

  async function runCell(index) {
    const notebook = panel().content;
    notebook.deselectAll();
    notebook.activeCellIndex = index;
    await window.jupyterapp.commands.execute("notebook:run-cell");
    return errors([notebook.widgets[index]]);
  }

  async function setTheme(name) {
    await window.jupyterapp.commands.execute("apputils:change-theme", { theme: name });
    await until(`the theme ${name}`, () => document.body.dataset.jpThemeName === name);
    await splashGone();
  }

  // Playwright waits for a page's promise for ever, so the limit is set here
  function within(seconds, action, argument) {
    const late = pause(seconds * 1000).then(() => {
      throw new Error(`${action} took longer than ${seconds} s`);
    });
    return Promise.race([window.harness[action](argument), late]);
  }

  window.harness = {
    within,
    ready,
    turnTo,
    closeOthers,
    clear,
    idle,
    runAll,
    runCell,
    setTheme,
    kernelId: () => kernel().id,
    leaveOut,
    shutdown: () => panel().sessionContext.shutdown(),
    save: () => panel().context.save(),
  };
})();
