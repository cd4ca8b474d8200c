"""What is this file really?"""
