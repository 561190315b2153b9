package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"
)

const childKillDelay = time.Second

// shellPart runs `sh [OPTION]... -c SCRIPT [NAME [ARGUMENT]...]` as a real shell does. `sh FILE` is a script of the real
// image, which is not here, and therefore played like any other program of it. A script with what the interpreter can't
// do (file descriptors above 2) asks whether the service answers.
func shellPart(ctx context.Context, args []string) (status int) {
	options, script, params := splitShell(args)
	if script == nil {
		return play(ctx, append([]string{"script"}, params...))
	}
	parsed, err := syntax.NewParser().Parse(strings.NewReader(*script), "")
	if err != nil {
		fmt.Fprintln(os.Stderr, "sh:", err)
		return 2
	}
	if len(params) > 0 {
		params = params[1:] // the first is the name that the script is to be called by
	}
	runner, err := interp.New(
		interp.StdIO(os.Stdin, os.Stdout, os.Stderr),
		interp.Params(append(append(options, "--"), params...)...),
		interp.ExecHandlers(playProgram),
	)
	if err != nil {
		fmt.Fprintln(os.Stderr, "sh:", err)
		return 2
	}
	defer func() {
		if recover() != nil {
			status = checkPart(ctx, nil)
		}
	}()
	if err = runner.Run(ctx, parsed); err == nil {
		return 0
	}
	if exit, ended := err.(interp.ExitStatus); ended {
		return int(exit)
	}
	fmt.Fprintln(os.Stderr, "sh:", err)
	return 1
}

// splitShell gives a shell's options, its script if there is one, and what comes after.
func splitShell(args []string) (options []string, script *string, params []string) {
	wanted := false
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		option := args[0]
		args = args[1:]
		if without := strings.Replace(option, "c", "", 1); without != option && !strings.HasPrefix(option, "--") {
			wanted, option = true, without
		}
		if option != "-" && option != "-l" {
			options = append(options, option)
		}
		if strings.HasSuffix(option, "o") && len(args) > 0 {
			options = append(options, args[0])
			args = args[1:]
		}
	}
	if wanted && len(args) > 0 {
		return options, &args[0], args[1:]
	}
	return options, nil, args
}

// playProgram is how a script's programs run: the probes as processes of their own, since they may stand in a pipe.
func playProgram(next interp.ExecHandlerFunc) interp.ExecHandlerFunc {
	start := interp.DefaultExecHandler(childKillDelay)
	return func(ctx context.Context, args []string) error {
		switch filepath.Base(args[0]) {
		case "cat", "curl", "wget":
			return start(ctx, args)
		}
		shell := interp.HandlerCtx(ctx)
		if shell.Stdin != nil && !isContainersOwn() {
			io.Copy(io.Discard, shell.Stdin) // what stands before it in a pipe wants to be heard to the end
		}
		shell.Env.Each(func(name string, variable expand.Variable) bool {
			if variable.Exported {
				os.Setenv(name, variable.String())
			}
			return true
		})
		return interp.ExitStatus(play(ctx, args))
	}
}
