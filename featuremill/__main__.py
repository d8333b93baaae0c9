from featuremill.cli import main

main()
