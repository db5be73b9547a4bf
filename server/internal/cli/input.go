package cli

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// readInput reads a file, or standard input for "-", up to a bound.
func (e *Env) readInput(path string, limit int64) ([]byte, error) {
	in := e.Stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	body, err := io.ReadAll(io.LimitReader(in, limit+1))
	if err == nil && int64(len(body)) > limit {
		err = fmt.Errorf("%s is larger than %d bytes", path, limit)
	}
	return body, err
}

// readPassword asks for a password twice at a terminal, and reads one line
// elsewhere. It never takes one from the command line, which others can see.
func (e *Env) readPassword() (string, error) {
	if f, ok := e.Stdin.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		first, err := e.prompt(f, "Password: ")
		if err != nil {
			return "", err
		}
		second, err := e.prompt(f, "Again: ")
		if err != nil {
			return "", err
		}
		if first != second {
			return "", fmt.Errorf("the two passwords differ")
		}
		return first, nil
	}
	line, err := bufio.NewReader(io.LimitReader(e.Stdin, 4096)).ReadString('\n')
	if err != nil && err != io.EOF {
		return "", err
	}
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		return "", fmt.Errorf("no password on standard input")
	}
	return line, nil
}

func (e *Env) prompt(f *os.File, text string) (string, error) {
	fmt.Fprint(e.Stderr, text)
	password, err := term.ReadPassword(int(f.Fd()))
	fmt.Fprintln(e.Stderr)
	return string(password), err
}
